"""The evidence: stories rendered in several ways and judged, on the demo model and on anyone's."""
