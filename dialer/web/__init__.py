"""The web rooms: health now; pages and API later."""
