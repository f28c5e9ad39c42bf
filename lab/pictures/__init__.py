"""The pictures of README, help pages and template browser, made in the real page."""
