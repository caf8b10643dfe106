//! The parameters of one call, as the form body carries them.
//!
//! Nested values are flattened by dots and lists are numbered from one: `Filters.Filter.1.Values.Value.1=x`. The
//! name between the list and the number is the model's; any is taken here, since RDS takes several too.
//! Source: <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::collections::BTreeMap;

use super::fault::Fault;

/// The form's fields, without `Action` and `Version`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn new(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(fields.into_iter().collect())
    }

    pub(crate) fn fields(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// A value, `None` where it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A value that the call cannot do without.
    ///
    /// # Errors
    /// `MissingParameter`.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| Fault::missing(name))
    }

    /// A boolean.
    ///
    /// # Errors
    /// `MalformedInput` for anything but true and false.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Fault::bad(
                "MalformedInput",
                format!("{name} must be true or false, not {other}"),
            )),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// `MalformedInput` for anything else.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    Fault::bad("MalformedInput", format!("{name} must be an integer, not {text}"))
                })
            })
            .transpose()
    }

    /// The members of a list of structures, in order.
    pub(crate) fn members(&self, list: &str) -> Vec<Params> {
        let mut members: BTreeMap<u32, Params> = BTreeMap::new();
        let prefix = format!("{list}.");
        for (name, value) in &self.0 {
            let Some(rest) = name.strip_prefix(&prefix) else {
                continue;
            };
            let mut parts = rest.splitn(3, '.');
            let (first, second, third) = (parts.next(), parts.next(), parts.next());
            let (number, field) = match (first.and_then(|n| n.parse().ok()), second, third) {
                (Some(number), field, tail) => (
                    number,
                    [field, tail].into_iter().flatten().collect::<Vec<_>>().join("."),
                ),
                (None, Some(number), field) => match number.parse() {
                    Ok(number) => (number, field.unwrap_or_default().to_owned()),
                    Err(_) => continue,
                },
                _ => continue,
            };
            members.entry(number).or_default().0.insert(field, value.clone());
        }
        members.into_values().collect()
    }

    /// The members of a list of plain values, in order.
    pub(crate) fn values(&self, list: &str) -> Vec<String> {
        self.members(list)
            .into_iter()
            .filter_map(|member| member.0.get("").cloned())
            .collect()
    }

    /// `Tags`, as key and value.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        self.members("Tags")
            .iter()
            .filter_map(|tag| {
                Some((
                    tag.get("Key")?.to_owned(),
                    tag.get("Value").unwrap_or_default().to_owned(),
                ))
            })
            .collect()
    }

    /// `Filters`, checked against those the call supports.
    ///
    /// # Errors
    /// `InvalidParameterValue` for a filter that the call does not know, as RDS answers.
    pub(crate) fn filters(&self, known: &[&str]) -> Result<Filters, Fault> {
        let mut filters = BTreeMap::new();
        for filter in self.members("Filters") {
            let name = filter.get("Name").ok_or_else(|| Fault::missing("Filters.Name"))?;
            if !known.contains(&name) {
                return Err(Fault::invalid_value(format!("Unrecognized filter name: {name}")));
            }
            filters.insert(name.to_owned(), filter.values("Values"));
        }
        Ok(Filters(filters))
    }
}

/// The filters of one call: several filters must all match, of one filter any value.
#[derive(Debug, Default)]
pub(crate) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Whether one of `candidates` is among the values of the filter, or the filter was not given.
    pub(crate) fn allows(&self, filter: &str, candidates: &[&str]) -> bool {
        self.0.get(filter).is_none_or(|values| {
            values.iter().any(|value| {
                candidates
                    .iter()
                    .any(|candidate| candidate.eq_ignore_ascii_case(value))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    fn params(fields: &[(&str, &str)]) -> Params {
        Params::new(fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn lists_are_read_with_and_without_a_member_name() {
        let call = params(&[
            ("Filters.Filter.1.Name", "engine"),
            ("Filters.Filter.1.Values.Value.1", "postgres"),
            ("Filters.Filter.1.Values.Value.2", "aurora-postgresql"),
            ("TagKeys.member.1", "a"),
            ("Parameters.1.ParameterName", "x"),
        ]);
        let filters = call.filters(&["engine"]).expect("engine is a known filter");
        assert!(filters.allows("engine", &["Aurora-PostgreSQL"]));
        assert!(!filters.allows("engine", &["mysql"]));
        assert!(filters.allows("absent", &["anything"]));
        assert_eq!(call.values("TagKeys"), ["a"]);
        assert_eq!(call.members("Parameters")[0].get("ParameterName"), Some("x"));
        assert!(call.filters(&["other"]).is_err());
    }
}
