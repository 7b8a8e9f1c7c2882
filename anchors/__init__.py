"""What joins the forest: meaning axes, islands of trees, later the anchor registry."""
