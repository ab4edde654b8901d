//! Shared by the tests: servers on free ports, and literal bytes to and from them.
