"""What runs inside a guest, given to pytest by its path; no file here has a name that pytest finds by itself."""
