"""REST's front: connections of HTTP/1.1, around the parser that Node.js uses."""
