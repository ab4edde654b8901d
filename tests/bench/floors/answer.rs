//! What it is: the contract of the profile `bench` as strings, for a server that knows only what the generator sends.
//! What it is not: Socket.IO: it parses nothing, checks nothing, and forgets nobody's room.
//! Who calls it: the two floors, `tungstenite` and `frames`.

/// The first packet of a connection by WebSocket.
pub(crate) const OPEN: &str = "0{\"sid\":\"AAAAAAAAAAAAAAAAAAAA\",\"upgrades\":[],\"pingInterval\":25000,\
                               \"pingTimeout\":20000,\"maxPayload\":1000000}";

/// What a text leads to.
pub(crate) enum Answer {
    /// This goes back.
    Back(String),
    /// The client is in the room, and this goes back.
    Join(String),
    /// This goes to everyone in the room.
    Cast(String),
    /// Nothing.
    Nothing,
}

/// The answer to a text.
pub(crate) fn to(text: &str) -> Answer {
    if let Some(rest) = text.strip_prefix("427[\"ack\",") {
        Answer::Back(format!("437[{rest}"))
    } else if let Some(rest) = text.strip_prefix("42[\"cast\",\"room\",") {
        Answer::Cast(format!("42[\"msg\",{rest}"))
    } else {
        match text {
            "40" => Answer::Back("40{\"sid\":\"BBBBBBBBBBBBBBBBBBBB\"}".into()),
            "3" | "5" => Answer::Nothing,
            "2probe" => Answer::Back("3probe".into()),
            "420[\"ack\",\"here\"]" => Answer::Back("430[\"here\"]".into()),
            "420[\"join\",\"room\"]" => Answer::Join("430[]".into()),
            text => Answer::Back(text.into()),
        }
    }
}
