"""What the template tags of every page are made of; ``common.templatetags.ui`` offers them."""
