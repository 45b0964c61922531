"""Pictures: from files and URLs to the public folder, small and safe, and which row shows which.

picture.py: one picture, from bytes to bytes; nothing of Kimo, so that worker processes start fast.
public_folder.py: the public folder. names.py: which file a FilePath means. files.py and
download.py: the two jobs. settings.py: their settings. references.py: kimo."PublicImage", which
agents get. audit.py and contact_sheet.py: what is wrong with the pictures, in words and to look at.
"""
