//! Works out values of a CloudFormation template as far as the template alone tells them.
//!
//! What only the stack knows (other stacks' exports, SSM, secrets, ids that AWS assigns) stays unknown, with the reason.
//! Work is bounded, so that a hostile template costs a message and no memory.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value};

/// Evaluation steps of one template; a real one needs a few hundred.
const STEPS: u32 = 200_000;
/// How deep references and functions may lead into each other: enough for any real template, too little for the stack.
const DEPTH: u32 = 150;
/// Longest text that is put together.
const LONGEST: usize = 16 << 10;

/// What a property comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting {
    /// This value.
    Known(Value),
    /// Not set.
    Absent,
    /// A resource of the same template: its physical name, or the named attribute.
    Resource {
        /// Logical id.
        id: String,
        /// The attribute of `Fn::GetAtt`.
        attribute: Option<String>,
    },
    /// Cannot be told from the template, because.
    Unknown(String),
}

impl Setting {
    fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(why.into())
    }
}

/// What is known besides the template.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `--parameter NAME=VALUE`.
    pub parameters: BTreeMap<String, String>,
    /// Region of the live database.
    pub region: Option<String>,
    /// Account of the live database.
    pub account: Option<String>,
    /// `aws`, `aws-cn` …
    pub partition: Option<String>,
    /// The stack's name, where a tag of the live database tells it.
    pub stack: Option<String>,
}

/// Resolves within one template.
pub(super) struct Resolver<'a> {
    template: &'a Map<String, Value>,
    around: &'a Surroundings,
    steps: Cell<u32>,
    depth: Cell<u32>,
}

/// One level of evaluation; left when dropped.
struct Level<'a>(&'a Cell<u32>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn section<'a>(template: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    template.get(name)?.as_object()
}

/// The property that names a resource physically, so that `Ref` gives it.
pub(super) fn name_property(type_name: &str) -> Option<&'static str> {
    Some(match type_name {
        "AWS::RDS::DBCluster" => "DBClusterIdentifier",
        "AWS::RDS::DBInstance" => "DBInstanceIdentifier",
        "AWS::RDS::DBClusterParameterGroup" => "DBClusterParameterGroupName",
        "AWS::RDS::DBParameterGroup" => "DBParameterGroupName",
        "AWS::RDS::GlobalCluster" => "GlobalClusterIdentifier",
        _ => return None,
    })
}

impl<'a> Resolver<'a> {
    pub(super) fn new(template: &'a Map<String, Value>, around: &'a Surroundings) -> Self {
        Self {
            template,
            around,
            steps: Cell::new(STEPS),
            depth: Cell::new(0),
        }
    }

    /// Names of parameters of the template whose value must not be shown.
    fn is_secret(&self, parameter: &str) -> bool {
        let declared = section(self.template, "Parameters").and_then(|p| p.get(parameter));
        declared
            .and_then(|p| p.get("NoEcho"))
            .is_some_and(|v| truth(v) == Some(true))
    }

    /// One level deeper; none where the bounds are reached.
    fn enter(&self) -> Option<Level<'_>> {
        let (steps, depth) = (self.steps.get(), self.depth.get());
        if steps == 0 || depth == DEPTH {
            return None;
        }
        self.steps.set(steps - 1);
        self.depth.set(depth + 1);
        Some(Level(&self.depth))
    }

    /// Resolves a value.
    pub(super) fn resolve(&self, value: &Value) -> Setting {
        let Some(_level) = self.enter() else {
            return Setting::unknown("the template is too deeply nested to work out");
        };
        match value {
            Value::String(text) if text.contains("{{resolve:") => {
                Setting::unknown("a dynamic reference, which is read when the stack is deployed")
            }
            Value::Object(map) => match function(map) {
                Some((name, arguments)) => self.call(name, arguments),
                None => self.object(map),
            },
            Value::Array(items) => match self.list(items) {
                Ok(items) => Setting::Known(Value::Array(items)),
                Err(why) => Setting::Unknown(why),
            },
            other => Setting::Known(other.clone()),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Setting {
        let mut out = Map::new();
        for (key, value) in map {
            match self.plain(value) {
                Ok(Some(value)) => drop(out.insert(key.clone(), value)),
                Ok(None) => {}
                Err(why) => return Setting::Unknown(why),
            }
        }
        Setting::Known(Value::Object(out))
    }

    fn list(&self, items: &[Value]) -> Result<Vec<Value>, String> {
        let mut out = Vec::new();
        for item in items {
            out.extend(self.plain(item)?);
        }
        Ok(out)
    }

    /// A value that is wholly known; none where it is not set.
    fn plain(&self, value: &Value) -> Result<Option<Value>, String> {
        match self.resolve(value) {
            Setting::Known(value) => Ok(Some(value)),
            Setting::Absent => Ok(None),
            Setting::Unknown(why) => Err(why),
            Setting::Resource { id, attribute: None } => match self.physical(&id) {
                Some(name) => Ok(Some(Value::String(name))),
                None => Err(format!("the name of {id}, which is only known in the stack")),
            },
            Setting::Resource {
                id,
                attribute: Some(attribute),
            } => Err(format!("{id}.{attribute}, which is only known in the stack")),
        }
    }

    /// The name that the template itself gives to a resource.
    pub(super) fn physical(&self, id: &str) -> Option<String> {
        let resource = section(self.template, "Resources")?.get(id)?;
        let property = name_property(resource.get("Type")?.as_str()?)?;
        match self.resolve(resource.get("Properties")?.get(property)?) {
            Setting::Known(Value::String(name)) => Some(name),
            _ => None,
        }
    }

    fn text(&self, value: &Value) -> Result<String, String> {
        match self.plain(value)? {
            Some(Value::String(text)) => Ok(text),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(truth)) => Ok(truth.to_string()),
            _ => Err("a text is expected where there is none".to_owned()),
        }
    }

    fn call(&self, name: &str, arguments: &Value) -> Setting {
        let outcome = match name {
            "Ref" => return self.reference(arguments),
            "Fn::GetAtt" => return get_att(arguments),
            "Fn::If" => return self.choose(arguments),
            "Fn::Join" => self.join(arguments),
            "Fn::Sub" => self.substitute(arguments),
            "Fn::Select" => return self.select(arguments),
            "Fn::Split" => self.split(arguments),
            "Fn::FindInMap" => return self.find_in_map(arguments),
            "Fn::ImportValue" => Err("an export of another stack".to_owned()),
            _ => Err(format!("{name} is not worked out here")),
        };
        outcome.map_or_else(Setting::Unknown, Setting::Known)
    }

    fn reference(&self, name: &Value) -> Setting {
        let Some(name) = name.as_str() else {
            return Setting::unknown("Ref without a name");
        };
        let pseudo = |value: &Option<String>| match value {
            Some(value) => Setting::Known(Value::String(value.clone())),
            None => Setting::unknown(format!("{name} is not known here")),
        };
        match name {
            "AWS::NoValue" => return Setting::Absent,
            "AWS::Region" => return pseudo(&self.around.region),
            "AWS::AccountId" => return pseudo(&self.around.account),
            "AWS::Partition" => return pseudo(&self.around.partition),
            "AWS::StackName" => return pseudo(&self.around.stack),
            "AWS::URLSuffix" => {
                let china = self.around.partition.as_deref() == Some("aws-cn");
                let suffix = if china {
                    "amazonaws.com.cn"
                } else {
                    "amazonaws.com"
                };
                return Setting::Known(Value::String(suffix.to_owned()));
            }
            _ if name.starts_with("AWS::") => return Setting::unknown(format!("{name} is not known here")),
            _ => {}
        }
        if let Some(parameter) = section(self.template, "Parameters").and_then(|p| p.get(name)) {
            return self.parameter(name, parameter);
        }
        let id = name.to_owned();
        match section(self.template, "Resources").is_some_and(|r| r.contains_key(name)) {
            true => Setting::Resource { id, attribute: None },
            false => Setting::unknown(format!("Ref to {name}, which the template does not have")),
        }
    }

    fn parameter(&self, name: &str, declared: &Value) -> Setting {
        let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
        if self.is_secret(name) {
            return Setting::unknown(format!("parameter {name} is NoEcho"));
        }
        let text = match (self.around.parameters.get(name), declared.get("Default")) {
            (Some(given), _) => given.clone(),
            (None, _) if kind.starts_with("AWS::SSM::") => {
                return Setting::unknown(format!(
                    "parameter {name} is read from SSM when the stack is deployed: give --parameter {name}=VALUE"
                ));
            }
            (None, Some(Value::String(text))) => text.clone(),
            (None, Some(Value::Number(number))) => number.to_string(),
            (None, Some(Value::Bool(truth))) => truth.to_string(),
            (None, _) => {
                return Setting::unknown(format!(
                    "parameter {name} has no default: give --parameter {name}=VALUE"
                ));
            }
        };
        let is_list = kind == "CommaDelimitedList" || kind.contains("List<");
        Setting::Known(match is_list {
            true => text
                .split(',')
                .map(|item| Value::String(item.trim().to_owned()))
                .collect(),
            false => Value::String(text),
        })
    }

    fn join(&self, arguments: &Value) -> Result<Value, String> {
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

    fn split(&self, arguments: &Value) -> Result<Value, String> {
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

    fn select(&self, arguments: &Value) -> Setting {
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

    fn find_in_map(&self, arguments: &Value) -> Setting {
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

    fn substitute(&self, arguments: &Value) -> Result<Value, String> {
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

    fn choose(&self, arguments: &Value) -> Setting {
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
    pub(super) fn condition(&self, name: &str) -> Result<bool, String> {
        let conditions = section(self.template, "Conditions");
        let rule = conditions.and_then(|c| c.get(name));
        self.holds(rule.ok_or_else(|| format!("the template has no condition {name}"))?)
    }

    fn holds(&self, rule: &Value) -> Result<bool, String> {
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

/// `true` as JSON or as text.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn function(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, arguments) = map.iter().next()?;
    let is_function = name == "Ref" || name == "Condition" || name.starts_with("Fn::");
    (map.len() == 1 && is_function).then_some((name.as_str(), arguments))
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

fn get_att(arguments: &Value) -> Setting {
    let resource = |id: &str, attribute: &str| Setting::Resource {
        id: id.to_owned(),
        attribute: Some(attribute.to_owned()),
    };
    match arguments {
        Value::String(text) => match text.split_once('.') {
            Some((id, attribute)) => resource(id, attribute),
            None => Setting::unknown("Fn::GetAtt without an attribute"),
        },
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(id), Value::String(attribute)] => resource(id, attribute),
            _ => Setting::unknown("Fn::GetAtt in a form that is not known"),
        },
        _ => Setting::unknown("Fn::GetAtt in a form that is not known"),
    }
}

/// Attributes of resources that the template reads anywhere, as `(logical id, attribute)`.
pub(super) fn attributes_read(value: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(("Fn::GetAtt", arguments)) = function(map)
                    && let Setting::Resource {
                        id,
                        attribute: Some(attribute),
                    } = get_att(arguments)
                {
                    found.insert((id, attribute));
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Map<String, Value> {
        let value = json!({
            "Parameters": {
                "Version": {"Type": "String", "Default": "14.10"},
                "Stage": {"Type": "String"},
                "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"},
                "Bootstrap": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk/version"},
                "Secret": {"Type": "String", "NoEcho": true, "Default": "hush"},
            },
            "Mappings": {"Versions": {"prod": {"engine": "16.6"}}},
            "Conditions": {
                "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
                "Never": {"Fn::Equals": ["a", "b"]},
                "Either": {"Fn::Or": [{"Condition": "IsProd"}, {"Fn::Not": [{"Condition": "Never"}]}]},
                "Loop": {"Condition": "Loop"},
            },
            "Resources": {
                "Db": {"Type": "AWS::RDS::DBCluster", "Properties": {"DBClusterIdentifier": {"Fn::Sub": "main-${Version}"}}},
                "Anon": {"Type": "AWS::RDS::DBCluster", "Properties": {}},
            },
        });
        value.as_object().expect("an object").clone()
    }

    fn resolve(value: Value, given: &[(&str, &str)]) -> Setting {
        let template = template();
        let around = Surroundings {
            parameters: given
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            region: Some("eu-west-1".to_owned()),
            ..Surroundings::default()
        };
        Resolver::new(&template, &around).resolve(&value)
    }

    #[test]
    fn what_the_template_tells_is_known() {
        for (value, wanted) in [
            (json!({"Ref": "Version"}), json!("14.10")),
            (
                json!({"Fn::Join": ["-", ["db", {"Ref": "AWS::Region"}, {"Ref": "Version"}]]}),
                json!("db-eu-west-1-14.10"),
            ),
            (
                json!({"Fn::Sub": ["${A}/${!Literal}/${Db}", {"A": "x"}]}),
                json!("x/${Literal}/main-14.10"),
            ),
            (json!({"Fn::Select": ["1", {"Ref": "Zones"}]}), json!("b")),
            (
                json!({"Fn::Select": [0, [{"Ref": "Version"}, {"Ref": "Stage"}]]}),
                json!("14.10"),
            ),
            (
                json!({"Fn::Select": [1, {"Fn::Split": [".", {"Ref": "Version"}]}]}),
                json!("10"),
            ),
            (
                json!({"Fn::FindInMap": ["Versions", "prod", "engine"]}),
                json!("16.6"),
            ),
            (json!({"Fn::If": ["Either", "yes", "no"]}), json!("yes")),
            (json!({"Fn::If": ["IsProd", "same", "same"]}), json!("same")),
            (json!([{"Ref": "AWS::NoValue"}, 1]), json!([1])),
        ] {
            assert_eq!(resolve(value.clone(), &[]), Setting::Known(wanted), "{value}");
        }
        let given = resolve(
            json!({"Fn::If": ["IsProd", {"Ref": "AWS::NoValue"}, 1]}),
            &[("Stage", "prod")],
        );
        assert_eq!(given, Setting::Absent);
    }

    #[test]
    fn what_it_does_not_tell_is_said() {
        for (value, why) in [
            (json!({"Ref": "Stage"}), "--parameter Stage=VALUE"),
            (json!({"Ref": "Bootstrap"}), "SSM"),
            (json!({"Ref": "Secret"}), "NoEcho"),
            (json!({"Ref": "Nowhere"}), "does not have"),
            (json!("{{resolve:secretsmanager:x}}"), "dynamic reference"),
            (
                json!({"Fn::Sub": "${Db.DBClusterResourceId}"}),
                "Db.DBClusterResourceId",
            ),
            (json!({"Fn::Join": ["", [{"Ref": "Anon"}]]}), "the name of Anon"),
            (json!({"Fn::If": ["IsProd", 1, 2]}), "condition IsProd"),
            (json!({"Fn::If": ["Loop", 1, 2]}), "condition Loop"),
            (json!({"Fn::ImportValue": "x"}), "another stack"),
            (json!({"Fn::Transform": {}}), "Fn::Transform"),
            (json!({"Fn::Select": [9, ["a"]]}), "beyond the end"),
            (json!({"Fn::Join": "x"}), "two arguments"),
            (json!({"Ref": ["x"]}), "Ref without a name"),
        ] {
            match resolve(value.clone(), &[]) {
                Setting::Unknown(said) => {
                    assert!(said.contains(why), "{value}: {said}");
                    assert!(!said.contains("hush"));
                }
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
