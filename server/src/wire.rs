//! What it is: the parts of ops that are of the crate below, as one server of a cluster writes them for others.
//! What it is not: the grammar of ops that applications use (`op`).
//! Who calls it: `op`, by serde.

/// A name, or a glob; whether it is a name, though there may be a `*` in it; and the text of it.
type Written = (bool, String);

fn written(glob: &socketio::Glob) -> Written {
    (glob.is_exact(), glob.to_string())
}

fn read((is_exact, text): Written) -> socketio::Glob {
    if is_exact { socketio::Glob::exact(&text) } else { socketio::Glob::new(&text) }
}

/// One of them, or none.
pub(crate) mod glob {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use socketio::Glob;

    pub(crate) fn serialize<S: Serializer>(glob: &Option<Glob>, serializer: S) -> Result<S::Ok, S::Error> {
        glob.as_ref().map(super::written).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Glob>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(super::read))
    }
}

/// Several.
pub(crate) mod globs {
    use serde::{Deserialize, Deserializer, Serializer};
    use socketio::Glob;

    pub(crate) fn serialize<S: Serializer>(globs: &[Glob], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(globs.iter().map(super::written))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Glob>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().map(super::read).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::op::Op;

    #[test]
    fn ops_come_to_others_as_they_are() {
        for json in [
            r#"{"op":"emit","event":"e",
                "to":{"rooms":"a","sids":["S"]},"except":{"users":"ann"},"volatile":true,"history":false,"id":"7"}"#,
            r#"{"op":"join","namespace":"/n","target":{"sids":"S"},"rooms":["a","b"],"leave":"a*b*"}"#,
            r#"{"op":"join","target":{"sids":"S"},"rooms":["a"]}"#,
            r#"{"op":"leave","target":{"users":"ann"},"rooms":["a","b*"]}"#,
            r#"{"op":"close_room","room":"a"}"#,
            r#"{"op":"disconnect","target":{"rooms":"a"},"except":{"sids":"S"},"transport":true}"#,
            r#"{"op":"session","sid":"S","set":{"n":12345678901234567890123}}"#,
            r#"{"op":"user","sid":"S","user":null}"#,
        ] {
            let op = Op::read(json.as_bytes(), None).expect(json);
            let text = serde_json::to_string(&op).expect("texts and JSON");
            assert_eq!(serde_json::from_str::<Op>(&text).expect(&text), op);
        }
    }

    #[test]
    fn a_name_with_a_star_stays_a_name() {
        let text = r#"{"namespace":"/","action":{"Leave":{"target":{"rooms":[],"users":[],"sids":["S"]},
            "except":{"rooms":[],"users":[],"sids":[]},"rooms":[[true,"a*"]]}}}"#;
        let op: Op = serde_json::from_str(text).expect("JSON");
        assert_eq!(op, serde_json::from_str(&serde_json::to_string(&op).expect("texts")).expect("texts"));
        assert!(format!("{op:?}").contains("Glob { prefix: \"a*\", pieces: [] }"), "{op:?}");
    }
}
