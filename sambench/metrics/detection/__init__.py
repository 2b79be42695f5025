"""Average precision and recall of masks and boxes as COCO and LVIS compute them."""
