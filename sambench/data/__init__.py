"""Where images and annotations come from: decoding, downloads, archives, suites."""
