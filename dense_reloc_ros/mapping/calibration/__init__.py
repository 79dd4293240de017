"""What is fitted on a map's own images: temperatures, score threshold, covariance, confidence."""
