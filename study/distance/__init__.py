"""FID, KID, precision and recall between any two sets of images."""
