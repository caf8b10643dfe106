//! Reads what `terraform show -json` prints of a state or a plan.
//!
//! Both hold secrets. Only attributes that are compared are taken; everything else is dropped before anything can print
//! it. <https://developer.hashicorp.com/terraform/internals/json-format>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    code::{BadCode, Declared, Document, Kind, Language, Planned, Setting},
    property,
};

/// Reads a state.
///
/// # Errors
/// [`BadCode`] where it is none.
pub fn state(file: &str, text: &str) -> Result<Document, BadCode> {
    let root = BadCode::parse(file, text)?;
    if root.contains_key("resource_changes") {
        return Err(BadCode::other(file, "a Terraform plan; give it with --tfplan"));
    }
    let module = root.get("values").and_then(|v| v.get("root_module"));
    let module = module.ok_or_else(|| not_terraform(file, &root))?;
    let mut document = empty(file, Language::TerraformState);
    resources(module, &mut |resource| {
        let values = resource.get("values").and_then(Value::as_object);
        document.declared.extend(declared(resource, values?, None));
        Some(())
    });
    Ok(document)
}

/// Reads a plan.
///
/// # Errors
/// [`BadCode`] where it is none.
pub fn plan(file: &str, text: &str) -> Result<Document, BadCode> {
    let root = BadCode::parse(file, text)?;
    let Some(changes) = root.get("resource_changes").and_then(Value::as_array) else {
        if root.contains_key("values") {
            return Err(BadCode::other(file, "a Terraform state; give it with --tfstate"));
        }
        return Err(not_terraform(file, &root));
    };
    let mut document = empty(file, Language::TerraformPlan);
    let none = Map::new();
    for resource in changes {
        let Some(change) = resource.get("change") else {
            continue;
        };
        let actions: Vec<&str> = change
            .get("actions")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let side = |name: &str| change.get(name).and_then(Value::as_object);
        let planned = Planned {
            delete: actions.contains(&"delete"),
            create: actions.contains(&"create"),
            because: paths(change.get("replace_paths")),
            version_before: side("before")
                .and_then(|b| b.get("engine_version")?.as_str())
                .map(str::to_owned),
        };
        // What is only destroyed has no wish any more, but a name by which to know it.
        let values = side("after").or_else(|| side("before")).unwrap_or(&none);
        let Some(mut found) = declared(resource, values, side("after_unknown")) else {
            continue;
        };
        found.planned = Some(planned);
        document.declared.push(found);
    }
    Ok(document)
}

fn empty(file: &str, language: Language) -> Document {
    Document {
        file: file.to_owned(),
        language,
        declared: Vec::new(),
        unplaced: Vec::new(),
        attributes_read: BTreeSet::new(),
    }
}

fn not_terraform(file: &str, root: &Map<String, Value>) -> BadCode {
    let what = if root.contains_key("Resources") {
        "a CloudFormation template; give it with --template"
    } else if root.contains_key("serial") {
        "a raw state file; give what `terraform show -json` prints (for example: terraform show -json > state.json)"
    } else if root.contains_key("format_version") {
        "an empty Terraform state or plan: there is nothing in it to compare"
    } else {
        "not what `terraform show -json` prints"
    };
    BadCode::other(file, what)
}

/// Every managed resource of a module and its children.
fn resources(module: &Value, see: &mut impl FnMut(&Value) -> Option<()>) {
    let mut open = vec![module];
    while let Some(module) = open.pop() {
        for resource in module
            .get("resources")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            see(resource);
        }
        open.extend(
            module
                .get("child_modules")
                .and_then(Value::as_array)
                .into_iter()
                .flatten(),
        );
    }
}

fn declared(
    resource: &Value,
    values: &Map<String, Value>,
    unknown: Option<&Map<String, Value>>,
) -> Option<Declared> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    if text("mode").is_some_and(|mode| mode != "managed") {
        return None;
    }
    let type_name = text("type").filter(|name| name.starts_with("aws_"))?;
    let kind = Kind::of(type_name)?;
    let mut settings = BTreeMap::new();
    for name in property::names(kind) {
        let later = unknown
            .and_then(|u| u.get(name))
            .is_some_and(|v| *v == Value::Bool(true));
        let setting = match values.get(name) {
            _ if later => Setting::Unknown("known only after apply".to_owned()),
            // Terraform writes nothing as null, "" or an empty list.
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) if text.is_empty() => continue,
            Some(Value::Array(list)) if list.is_empty() => continue,
            Some(Value::Object(map)) if map.is_empty() => continue,
            Some(value) => Setting::Known(value.clone()),
        };
        settings.insert(name.to_owned(), setting);
    }
    Some(Declared {
        kind,
        type_name: type_name.to_owned(),
        address: text("address").unwrap_or(type_name).to_owned(),
        construct: None,
        settings,
        update_replace_policy: None,
        planned: None,
    })
}

/// The names of attributes in `replace_paths`.
fn paths(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|path| path.as_array()?.first()?.as_str())
        .map(str::to_owned)
        .collect()
}
