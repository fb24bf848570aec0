"""The report as web pages: no network, no libraries, readable on paper, on a phone, in the dark."""
