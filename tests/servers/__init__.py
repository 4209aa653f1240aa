"""Small real servers for the tests, on the standard library and on real sockets."""
