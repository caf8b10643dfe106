//! The intrinsic functions, each as far as its arguments are known.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

use serde_json::{Map, Value};

use super::{LONGEST, Resolver, Setting, function, section};

impl Resolver<'_> {
    pub(super) fn join(&self, arguments: &Value) -> Result<Value, String> {
        let [delimiter, list] = pair(arguments, "Fn::Join")?;
        let items = match self.plain(list)? {
            Some(Value::Array(items)) => items,
            _ => return Err("Fn::Join of something that is no list".to_owned()),
        };
        let texts = items
            .iter()
            .map(|item| self.text(item))
            .collect::<Result<Vec<_>, _>>()?;
        bounded(texts.join(&self.text(delimiter)?))
    }

    pub(super) fn split(&self, arguments: &Value) -> Result<Value, String> {
        let [delimiter, text] = pair(arguments, "Fn::Split")?;
        let (delimiter, text) = (self.text(delimiter)?, self.text(text)?);
        if delimiter.is_empty() {
            return Err("Fn::Split at nothing".to_owned());
        }
        Ok(text
            .split(&delimiter)
            .map(|part| Value::String(part.to_owned()))
            .collect())
    }

    pub(super) fn select(&self, arguments: &Value) -> Setting {
        let outcome = pair(arguments, "Fn::Select").and_then(|[index, list]| {
            let index: usize = self
                .text(index)?
                .parse()
                .map_err(|_| "Fn::Select with no number".to_owned())?;
            Ok((index, list))
        });
        let (index, list) = match outcome {
            Ok(found) => found,
            Err(why) => return Setting::Unknown(why),
        };
        // Only the selected item has to be known.
        if let Value::Array(items) = list {
            return match items.get(index) {
                Some(item) => self.resolve(item),
                None => Setting::unknown("Fn::Select beyond the end of its list"),
            };
        }
        match self.resolve(list) {
            Setting::Known(Value::Array(items)) => match items.get(index) {
                Some(item) => Setting::Known(item.clone()),
                None => Setting::unknown("Fn::Select beyond the end of its list"),
            },
            Setting::Unknown(why) => Setting::Unknown(why),
            _ => Setting::unknown("Fn::Select of something that is no known list"),
        }
    }

    pub(super) fn find_in_map(&self, arguments: &Value) -> Setting {
        let Some([map, top, second]) = arguments.as_array().and_then(|a| a.first_chunk::<3>()) else {
            return Setting::unknown("Fn::FindInMap without its three keys");
        };
        let keys = self
            .text(map)
            .and_then(|map| Ok((map, self.text(top)?, self.text(second)?)));
        match keys {
            Err(why) => Setting::Unknown(why),
            Ok((map, top, second)) => {
                let maps = section(self.template, "Mappings");
                let found = maps.and_then(|m| m.get(&map)?.get(&top)?.get(&second));
                match found {
                    Some(value) => Setting::Known(value.clone()),
                    None => Setting::unknown(format!("the mapping {map} has no {top}.{second}")),
                }
            }
        }
    }

    pub(super) fn substitute(&self, arguments: &Value) -> Result<Value, String> {
        let none = Map::new();
        let (text, own) = match arguments {
            Value::String(text) => (text.as_str(), &none),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text), Value::Object(own)] => (text.as_str(), own),
                _ => return Err("Fn::Sub in a form that is not known".to_owned()),
            },
            _ => return Err("Fn::Sub in a form that is not known".to_owned()),
        };
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                return Err("Fn::Sub with an open ${".to_owned());
            };
            rest = tail;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = own.get(name) {
                out.push_str(&self.text(value)?);
            } else if let Some((id, attribute)) = name.split_once('.') {
                return Err(format!("{id}.{attribute}, which is only known in the stack"));
            } else {
                let reference = serde_json::json!({ "Ref": name });
                out.push_str(&self.text(&reference)?);
            }
            if out.len() > LONGEST {
                break;
            }
        }
        out.push_str(rest);
        if out.contains("{{resolve:") {
            return Err("a dynamic reference, which is read when the stack is deployed".to_owned());
        }
        bounded(out)
    }

    pub(super) fn choose(&self, arguments: &Value) -> Setting {
        let Some([name, yes, no]) = arguments
            .as_array()
            .and_then(|a| <&[Value; 3]>::try_from(a.as_slice()).ok())
        else {
            return Setting::unknown("Fn::If without condition and two values");
        };
        let Some(name) = name.as_str() else {
            return Setting::unknown("Fn::If without a condition's name");
        };
        match self.condition(name) {
            Ok(true) => self.resolve(yes),
            Ok(false) => self.resolve(no),
            Err(why) => {
                let (yes, no) = (self.resolve(yes), self.resolve(no));
                // Both ways may lead to the same value.
                match yes == no && !matches!(yes, Setting::Unknown(_)) {
                    true => yes,
                    false => Setting::unknown(format!("condition {name}: {why}")),
                }
            }
        }
    }

    /// Whether a named condition holds.
    pub(in crate::drift) fn condition(&self, name: &str) -> Result<bool, String> {
        let conditions = section(self.template, "Conditions");
        let rule = conditions.and_then(|c| c.get(name));
        self.holds(rule.ok_or_else(|| format!("the template has no condition {name}"))?)
    }

    pub(super) fn holds(&self, rule: &Value) -> Result<bool, String> {
        let Some(_level) = self.enter() else {
            return Err("the template's conditions are too deeply nested to work out".to_owned());
        };
        let (name, arguments) = rule
            .as_object()
            .and_then(function)
            .ok_or_else(|| "a condition in a form that is not known".to_owned())?;
        let list = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
        match name {
            "Condition" => self.condition(arguments.as_str().unwrap_or_default()),
            "Fn::Equals" => {
                let [a, b] = pair(arguments, "Fn::Equals")?;
                Ok(self.text(a)? == self.text(b)?)
            }
            "Fn::Not" => Ok(!self.holds(list.first().unwrap_or(&Value::Null))?),
            "Fn::And" | "Fn::Or" => {
                // One side may decide although another is not known.
                let decisive = name == "Fn::Or";
                let mut unknown = None;
                for rule in list {
                    match self.holds(rule) {
                        Ok(truth) if truth == decisive => return Ok(decisive),
                        Ok(_) => {}
                        Err(why) => unknown = Some(why),
                    }
                }
                unknown.map_or(Ok(!decisive), Err)
            }
            _ => Err(format!("{name} is not worked out here")),
        }
    }
}

fn pair<'v>(arguments: &'v Value, name: &str) -> Result<&'v [Value; 2], String> {
    let list = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
    list.try_into()
        .map_err(|_| format!("{name} without its two arguments"))
}

fn bounded(text: String) -> Result<Value, String> {
    match text.len() > LONGEST {
        true => Err("a text too long to be a setting".to_owned()),
        false => Ok(Value::String(text)),
    }
}
