//! `--connect`: where TCP goes in place of the real endpoint, for a bastion, an SSM session or an SSH tunnel.
//!
//! `blue=HOST:PORT` and `green=HOST:PORT` are for a whole side; the identifier of a DB instance or the name of an endpoint in
//! place of the side is for that one alone and wins.

use crate::model::Side;

/// All tunnels that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tunnels(Vec<Tunnel>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tunnel {
    name: String,
    host: String,
    port: u16,
}

impl Tunnels {
    /// Reads the values of the flag.
    ///
    /// # Errors
    /// When one is not `NAME=HOST:PORT`, or a name is given twice; the text names the flag and the value.
    pub fn from_flags(flag: &str, values: &[String]) -> Result<Self, String> {
        let mut tunnels: Vec<Tunnel> = Vec::new();
        for value in values {
            // A connection string in this place has a password in it.
            let shown = if value.contains('@') { "…" } else { value };
            let wrong = |why: &str| format!("{flag} {shown}: {why}");
            let (name, place) = value
                .split_once('=')
                .ok_or_else(|| wrong("not NAME=HOST:PORT, where NAME is blue, green or a member"))?;
            let name = name.trim().to_ascii_lowercase();
            let (host, port) = host_and_port(place.trim()).map_err(wrong)?;
            if name.is_empty() {
                return Err(wrong("has no name before the `=`"));
            }
            if tunnels.iter().any(|tunnel| tunnel.name == name) {
                return Err(format!("{flag} is given twice for {name}"));
            }
            tunnels.push(Tunnel { name, host, port });
        }
        Ok(Self(tunnels))
    }

    /// The way to a server of a side, known by some names (its identifier, its endpoint), if there is one.
    pub fn to(&self, side: Side, names: &[&str]) -> Option<(&str, u16)> {
        let side = side.to_string();
        names
            .iter()
            .chain([&side.as_str()])
            .find_map(|name| {
                self.0
                    .iter()
                    .find(|tunnel| tunnel.name.eq_ignore_ascii_case(name))
            })
            .map(|tunnel| (tunnel.host.as_str(), tunnel.port))
    }

    /// Names that are neither a side nor among `known`: a typing mistake, which must not be passed over in silence.
    pub fn unknown<'a>(&'a self, known: &[&str]) -> Vec<&'a str> {
        let fits = |tunnel: &Tunnel| {
            ["blue", "green"]
                .iter()
                .chain(known)
                .any(|name| tunnel.name.eq_ignore_ascii_case(name))
        };
        self.0
            .iter()
            .filter(|tunnel| !fits(tunnel))
            .map(|tunnel| tunnel.name.as_str())
            .collect()
    }
}

/// `host:port` or `[v6]:port`.
fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest
            .split_once("]:")
            .ok_or("an IPv6 address is written [ADDRESS]:PORT")?,
        None => text.rsplit_once(':').ok_or("has no port")?,
    };
    if host.is_empty() {
        return Err("has no host");
    }
    if !text.starts_with('[') && host.contains(':') {
        return Err("an IPv6 address is written [ADDRESS]:PORT");
    }
    let port = port
        .parse()
        .ok()
        .filter(|port: &u16| *port != 0)
        .ok_or("its port is not a number from 1 to 65535")?;
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Tunnels, String> {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        Tunnels::from_flags("--connect", &values)
    }

    #[test]
    fn a_member_wins_over_its_side() {
        let tunnels =
            read(&["blue=127.0.0.1:5001", "Writer-1=[::1]:5002", "green=bastion:5003"]).expect("fits");
        assert_eq!(
            tunnels.to(Side::Blue, &["reader-2", "r.example"]),
            Some(("127.0.0.1", 5001))
        );
        assert_eq!(tunnels.to(Side::Blue, &["writer-1"]), Some(("::1", 5002)));
        assert_eq!(tunnels.to(Side::Green, &[]), Some(("bastion", 5003)));
        assert_eq!(Tunnels::default().to(Side::Green, &["x"]), None);
        assert_eq!(tunnels.unknown(&["reader-2"]), ["writer-1"]);
        assert!(tunnels.unknown(&["writer-1"]).is_empty());
    }

    #[test]
    fn mistakes_name_the_value() {
        for (value, why) in [
            ("localhost:5", "not NAME=HOST:PORT"),
            ("blue=localhost", "has no port"),
            ("blue=:5", "has no host"),
            ("blue=h:0", "its port"),
            ("blue=h:x", "its port"),
            ("blue=h:65536", "its port"),
            ("blue=::1:5", "[ADDRESS]:PORT"),
            ("blue=[::1]", "[ADDRESS]:PORT"),
            ("=h:5", "has no name"),
        ] {
            let message = read(&[value]).expect_err(value);
            assert!(
                message.starts_with(&format!("--connect {value}: ")) && message.contains(why),
                "{message}"
            );
        }
        assert_eq!(
            read(&["blue=h:1", "BLUE=h:2"]),
            Err("--connect is given twice for blue".to_owned())
        );
    }
}
