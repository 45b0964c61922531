"""The jobs of the vendor's menu, one file each: their config, their op, what they record."""
