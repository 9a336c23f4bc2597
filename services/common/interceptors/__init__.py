"""What surrounds each call, one module for each concern; `order` puts them together and says why so."""
