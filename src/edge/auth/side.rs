//! One value for both sides, or one for each.

/// A setting for blue and for green.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PerSide<T> {
    /// The production side.
    pub blue: T,
    /// The side that is to take over.
    pub green: T,
}

impl<T: Clone> PerSide<T> {
    /// The same for both.
    pub fn both(value: T) -> Self {
        Self {
            blue: value.clone(),
            green: value,
        }
    }

    /// Reads a flag that may be given as `VALUE`, `blue=VALUE` or `green=VALUE`; a side's own wins over the common one.
    ///
    /// # Errors
    /// When a value does not parse, or the same is given twice; the text names the flag.
    pub fn from_flags<E: std::fmt::Display>(
        flag: &str,
        values: &[String],
        default: T,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Self, String> {
        let (mut blue, mut green, mut both) = (None, None, None);
        for value in values {
            let (place, name, text) = match value.split_once('=') {
                Some(("blue", text)) => (&mut blue, "blue=", text),
                Some(("green", text)) => (&mut green, "green=", text),
                _ => (&mut both, "", value.as_str()),
            };
            if place.is_some() {
                let which = if name.is_empty() {
                    "both sides"
                } else {
                    name.trim_end_matches('=')
                };
                return Err(format!("{flag} is given twice for {which}"));
            }
            *place = Some(parse(text).map_err(|error| format!("{flag} {name}…: {error}"))?);
        }
        let common = both.unwrap_or(default);
        Ok(Self {
            blue: blue.unwrap_or_else(|| common.clone()),
            green: green.unwrap_or(common),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::auth::Method;

    fn read(values: &[&str]) -> Result<PerSide<Method>, String> {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        PerSide::from_flags("--auth", &values, Method::Password, str::parse)
    }

    #[test]
    fn a_side_wins_over_both() {
        assert_eq!(read(&[]), Ok(PerSide::both(Method::Password)));
        assert_eq!(read(&["iam"]), Ok(PerSide::both(Method::Iam)));
        assert_eq!(
            read(&["green=secret:s", "iam"]),
            Ok(PerSide {
                blue: Method::Iam,
                green: Method::Secret("s".to_owned())
            })
        );
        assert_eq!(
            read(&["command:tool --flag=blue"]),
            Ok(PerSide::both(Method::Command(vec![
                "tool".to_owned(),
                "--flag=blue".to_owned()
            ])))
        );
    }

    #[test]
    fn mistakes_name_the_flag() {
        assert_eq!(
            read(&["iam", "password"]),
            Err("--auth is given twice for both sides".to_owned())
        );
        assert_eq!(
            read(&["blue=iam", "blue=iam"]),
            Err("--auth is given twice for blue".to_owned())
        );
        let message = read(&["blue=password:planted"]).expect_err("refused");
        assert!(
            message.starts_with("--auth blue=…: ") && !message.contains("planted"),
            "{message}"
        );
    }
}
