"""Which rows of an embedding spell the anchors, by tokenizers of every kind."""
