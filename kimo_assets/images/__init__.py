"""Pictures: from files and from URLs to the public folder, small and safe, and which row shows
which.

picture.py: one picture, from bytes to bytes; nothing of Kimo, so that worker processes start fast.
public.py: the public folder. names.py: which file a FilePath means. files.py and download.py: the
two jobs. settings.py: what they go by. references.py: kimo."PublicImage", which agents get.
audit.py and sheet.py: what is wrong with the pictures, in words and to look at.
"""
