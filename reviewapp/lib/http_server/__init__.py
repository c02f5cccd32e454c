"""Gunicorn's threaded worker for clients of any speed: threads see complete requests only and never wait to send."""
