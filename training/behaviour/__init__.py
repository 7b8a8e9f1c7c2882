"""Behaviour, not perplexity: a module for each thing that a voice is asked."""
