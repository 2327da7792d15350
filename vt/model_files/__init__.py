"""Where models' files come from: set-up, folders and the hub; downloads and conversions."""
