//! From a tree to a typed value, with every mistake and not only the first.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key_path::{KeyPath, Segment};

/// Enough for any file that a person wrote; ends the search in one that a program broke.
const MOST_FAULTS: usize = 100;

/// Something that serde refused.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) path: KeyPath,
    /// In serde's words.
    pub(crate) text: String,
}

/// Decodes a tree. Serde stops at the first mistake, so what it refuses is taken out and the
/// rest is tried again: the value is made of what could be understood, and the default where
/// nothing could.
pub(crate) fn decode<T: DeserializeOwned + Default>(mut tree: Value) -> (T, Vec<Fault>) {
    let mut faults = Vec::new();
    while faults.len() < MOST_FAULTS {
        match serde_path_to_error::deserialize::<_, T>(tree.clone()) {
            Ok(value) => return (value, faults),
            Err(error) => {
                let path = KeyPath::from(error.path());
                let text = error.into_inner().to_string();
                let removed = remove(&mut tree, &path);
                faults.push(Fault { path, text });
                if !removed {
                    break;
                }
            }
        }
    }
    (T::default(), faults)
}

/// Takes out what stands at a path, or the whole list in which it stands: taking one element
/// out would shift the others, and their lines with them.
fn remove(tree: &mut Value, path: &KeyPath) -> bool {
    let mut segments = path.segments();
    while let Some((Segment::Index(_), rest)) = segments.split_last() {
        segments = rest;
    }
    let Some((Segment::Key(key), parents)) = segments.split_last() else {
        return false;
    };
    let mut here = tree;
    for segment in parents {
        let next = match segment {
            Segment::Key(key) => here.get_mut(key.as_str()),
            Segment::Index(index) => here.get_mut(*index),
        };
        let Some(next) = next else { return false };
        here = next;
    }
    here.as_object_mut().is_some_and(|table| table.remove(key).is_some())
}
