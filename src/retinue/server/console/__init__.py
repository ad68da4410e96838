"""The console: pages for people. For now sign-in and a home page."""
