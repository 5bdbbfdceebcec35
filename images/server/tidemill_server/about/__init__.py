"""What the server tells of its model beside predictions: to programs, and to people in a page."""
