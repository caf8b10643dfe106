//! Everything that needs a server, a process or a network.

mod tls;
