//! Frames and answers of the server. Field lists: MyPureCloud/web-messaging-sdk-java (schema) and
//! genesys-messenger-transport-mobile-sdk (what the vendor's own client reads).

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lenient::{Audit, Audited, Bool, Int, List, Pairs, Raw, Str, Strangers, otherwise_wrong, shape};

shape! {
    /// The envelope of every frame.
    Frame {
        kind: Str<'a> = "type",
        class: Str<'a> = "class",
        code: Int = "code",
        body: Raw<'a> = "body",
        tracing: Str<'a> = "tracingId",
    }

    SessionResponse {
        connected: Bool = "connected",
        new_session: Bool = "newSession",
        read_only: Bool = "readOnly",
        cleared_existing: Bool = "clearedExistingSession",
        auto_started: Bool = "autoStarted",
        allowed_media: AllowedMedia<'a> = "allowedMedia",
        blocked_extensions: List<Str<'a>> = "blockedExtensions",
        max_custom_data_bytes: Int = "maxCustomDataBytes",
        duration_seconds: Int = "durationSeconds",
        /// Seconds since the epoch.
        expiration_date: Int = "expirationDate",
    }

    GetConfigurationResponse {
        allowed_media: AllowedMedia<'a> = "allowedMedia",
        blocked_extensions: List<Str<'a>> = "blockedExtensions",
        max_custom_data_bytes: Int = "maxCustomDataBytes",
        message_routing: Bool = "messageRoutingEnabled",
        duration_seconds: Int = "sessionDurationSeconds",
    }

    AllowedMedia {
        inbound: MediaRule<'a> = "inbound",
        outbound: MediaRule<'a> = "outbound",
    }

    MediaRule {
        file_types: List<FileType<'a>> = "fileTypes",
        max_file_size_kb: Int = "maxFileSizeKB",
    }

    FileType {
        mime: Str<'a> = "type",
    }

    JwtResponse {
        jwt: Str<'a> = "jwt",
        /// Seconds since the epoch.
        exp: Int = "exp",
    }

    ResumeTokenResponse {
        resume_token: Str<'a> = "resumeToken",
        exp: Int = "exp",
    }

    PresignedUrl {
        attachment: Str<'a> = "attachmentId",
        url: Str<'a> = "url",
        headers: Pairs<'a> = "headers",
        file_name: Str<'a> = "fileName",
        file_size: Int = "fileSize",
        file_type: Str<'a> = "fileType",
    }

    /// UploadSuccessEvent, UploadFailureEvent, AttachmentDeletedResponse and GenerateUrlError.
    AttachmentEvent {
        attachment: Str<'a> = "attachmentId",
        download_url: Str<'a> = "downloadUrl",
        error_code: Int = "errorCode",
        error_message: Str<'a> = "errorMessage" | "message",
        name: Str<'a> = "name",
        stack: Raw<'a> = "stack",
        timestamp: Str<'a> = "timestamp",
    }

    /// The body of a TooManyRequestsErrorMessage, or of an error that is no plain string.
    ErrorBody {
        /// Seconds.
        retry_after: Int = "retryAfter",
        error_code: Int = "errorCode" | "code",
        error_message: Str<'a> = "errorMessage" | "message",
        status: Int = "status",
        name: Str<'a> = "name",
        stack: Raw<'a> = "stack",
    }

    ConnectionClosed {
        /// The older schema calls it `reason`, the newer `reasonCode`.
        reason: Str<'a> = "reason" | "reasonCode",
    }

    /// The body of SessionExpiredEvent, SessionClearedEvent and LogoutEvent.
    Empty {}

    /// The body of a StructuredMessage, and an item of history.
    Message {
        id: Str<'a> = "id",
        kind: Str<'a> = "type",
        text: Str<'a> = "text",
        /// `Inbound` is from the guest.
        direction: Str<'a> = "direction",
        channel: Channel<'a> = "channel",
        content: Raw<'a> = "content",
        events: List<Event<'a>> = "events",
        metadata: Metadata<'a> = "metadata",
        originating_entity: Str<'a> = "originatingEntity",
        originating_message: Str<'a> = "originatingMessageId",
        status: Str<'a> = "status",
        reasons: Raw<'a> = "reasons",
        final_receipt: Bool = "isFinalReceipt",
    }

    Channel {
        id: Str<'a> = "id",
        platform: Str<'a> = "platform",
        time: Str<'a> = "time",
        message_id: Str<'a> = "messageId",
        kind: Str<'a> = "type",
        from: Person<'a> = "from",
        to: Raw<'a> = "to",
        metadata: ChannelMetadata<'a> = "metadata",
        date_modified: Str<'a> = "dateModified",
        date_deleted: Str<'a> = "dateDeleted",
    }

    ChannelMetadata {
        attributes: Pairs<'a> = "customAttributes",
    }

    Person {
        id: Raw<'a> = "id",
        id_type: Raw<'a> = "idType",
        nickname: Str<'a> = "nickname",
        first_name: Str<'a> = "firstName",
        last_name: Str<'a> = "lastName",
        image: Raw<'a> = "image",
        email: Raw<'a> = "email",
    }

    Event {
        kind: Str<'a> = "eventType",
        typing: Typing<'a> = "typing",
        presence: PresenceEvent<'a> = "presence",
        co_browse: Raw<'a> = "coBrowse",
        video: Raw<'a> = "video",
        reactions: Raw<'a> = "reactions",
    }

    Typing {
        kind: Str<'a> = "type",
        /// Milliseconds. Some documents call it `durationMs`.
        duration: Int = "duration" | "durationMs",
    }

    PresenceEvent {
        kind: Str<'a> = "type",
        received: Raw<'a> = "receivedMessage",
    }

    Content {
        kind: Str<'a> = "contentType",
        attachment: Attachment<'a> = "attachment",
        quick_reply: QuickReply<'a> = "quickReply",
        button_response: ButtonResponse<'a> = "buttonResponse",
        card: Card<'a> = "card",
        carousel: Carousel<'a> = "carousel",
        // Kept as they are: shown as received.
        generic: Raw<'a> = "template" | "generic",
        date_picker: DatePicker<'a> = "datePicker",
        list_picker: ListPicker<'a> = "listPicker",
        form: Form<'a> = "form",
    }

    DatePicker {
        id: Str<'a> = "id",
        title: Str<'a> = "title",
        subtitle: Str<'a> = "subtitle",
        image: Str<'a> = "imageUrl",
        min: Str<'a> = "dateMinimum",
        max: Str<'a> = "dateMaximum",
        times: List<AvailableTime<'a>> = "availableTimes",
        format: Str<'a> = "dateDisplayFormat",
        location: Raw<'a> = "location",
    }

    AvailableTime {
        time: Str<'a> = "dateTime",
        /// Seconds.
        duration: Int = "duration",
    }

    ListPicker {
        id: Str<'a> = "id",
        received: Prompt<'a> = "receivedMessage",
        reply: Prompt<'a> = "replyMessage",
        sections: List<ListSection<'a>> = "sections",
    }

    ListSection {
        title: Str<'a> = "title",
        multiple: Bool = "multipleSelection",
        items: List<ListItem<'a>> = "items",
    }

    /// Of a list picker or of a wheel.
    ListItem {
        id: Str<'a> = "id",
        title: Str<'a> = "title",
        subtitle: Str<'a> = "subtitle",
        image: Str<'a> = "imageUrl",
        value: Raw<'a> = "value",
    }

    Prompt {
        header: Raw<'a> = "header",
        title: Str<'a> = "title",
        subtitle: Str<'a> = "subtitle",
        button: Raw<'a> = "buttonLabel" | "buttonText",
        image: Str<'a> = "imageUrl",
    }

    /// An offer has pages, an answer a response.
    Form {
        canned: Str<'a> = "cannedResponseId",
        originating_message: Str<'a> = "originatingMessageId",
        received: Prompt<'a> = "receivedMessage",
        reply: Prompt<'a> = "replyMessage",
        introduction: Prompt<'a> = "introduction",
        pages: List<FormPage<'a>> = "formPages",
        summary: Bool = "showSummary",
        response: List<FormResponse<'a>> = "response",
        id: Raw<'a> = "id",
    }

    FormPage {
        title: Str<'a> = "title",
        subtitle: Str<'a> = "subtitle",
        components: List<PageComponent<'a>> = "pageComponents",
    }

    PageComponent {
        kind: Str<'a> = "formComponentType",
        date_picker: DatePicker<'a> = "datePicker",
        list_picker: ListPicker<'a> = "listPicker",
        wheel_picker: WheelPicker<'a> = "wheelPicker",
        input: Input<'a> = "input",
    }

    WheelPicker {
        id: Str<'a> = "id",
        items: List<ListItem<'a>> = "items",
    }

    Input {
        id: Str<'a> = "id",
        title: Str<'a> = "title",
        subtitle: Str<'a> = "subtitle",
        hint: Str<'a> = "placeholderText",
        required: Bool = "isRequired",
        multiline: Bool = "isMultipleLine",
        keyboard: Raw<'a> = "keyboardType",
        auto_complete: Raw<'a> = "autoCompleteType",
    }

    FormResponse {
        id: Str<'a> = "id",
        component: FormComponent<'a> = "component",
    }

    FormComponent {
        kind: Str<'a> = "contentType",
        button_response: ButtonResponse<'a> = "buttonResponse",
    }

    Attachment {
        id: Str<'a> = "id",
        url: Str<'a> = "url",
        name: Str<'a> = "filename" | "fileName",
        size: Int = "fileSize" | "contentSizeBytes",
        media_type: Str<'a> = "mediaType",
        mime: Str<'a> = "mime",
        sha256: Raw<'a> = "sha256",
        text: Raw<'a> = "text",
    }

    QuickReply {
        text: Str<'a> = "text",
        payload: Str<'a> = "payload",
        /// Missing in production at times.
        action: Str<'a> = "action",
        image: Str<'a> = "image",
    }

    ButtonResponse {
        id: Raw<'a> = "id",
        kind: Str<'a> = "type",
        text: Str<'a> = "text",
        payload: Str<'a> = "payload",
        originating_message: Str<'a> = "originatingMessageId",
        message_type: Raw<'a> = "messageType",
    }

    Carousel {
        cards: List<Card<'a>> = "cards",
    }

    Card {
        title: Str<'a> = "title",
        description: Str<'a> = "description",
        image: Str<'a> = "image",
        video: Str<'a> = "video",
        actions: List<CardAction<'a>> = "actions",
        default_action: CardAction<'a> = "defaultAction",
    }

    CardAction {
        kind: Str<'a> = "type",
        text: Str<'a> = "text",
        url: Str<'a> = "url",
        payload: Str<'a> = "payload",
    }

    /// A page of history. Newest first.
    HistoryPage {
        entities: List<Message<'a>> = "entities",
        page_size: Int = "pageSize",
        page_number: Int = "pageNumber",
        page_count: Int = "pageCount",
        total: Int = "total",
        first: Raw<'a> = "firstUri",
        last: Raw<'a> = "lastUri",
        next: Raw<'a> = "nextUri",
        previous: Raw<'a> = "previousUri",
        own: Raw<'a> = "selfUri",
    }
}

/// The string map beside a message, as far as it means something here. Other keys are not odd: the map is free.
#[derive(Clone, Debug, Default)]
pub struct Metadata<'a> {
    pub read_only: Bool,
    /// The client's key in older clients of the vendor.
    pub custom_message_id: Str<'a>,
    pub duration_seconds: Int,
    pub expiration_date: Int,
    /// The message that an answer to a picker is for.
    pub parent_message: Str<'a>,
    /// The guest has signed in.
    pub authenticated: Bool,
    wrong: bool,
}

impl Audited for Metadata<'_> {
    fn audit(&self, audit: &mut Audit) {
        audit.wrong += u32::from(self.wrong);
        self.duration_seconds.audit(audit);
        self.expiration_date.audit(audit);
        self.read_only.audit(audit);
        self.authenticated.audit(audit);
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Metadata<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for V<'a> {
            type Value = Metadata<'a>;
            otherwise_wrong!(Metadata { wrong: true, ..Default::default() };
                visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
            otherwise_wrong!(seq Metadata { wrong: true, ..Default::default() });
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut m = Metadata::default();
                while let Some(key) = map.next_key::<Str<'de>>()? {
                    match key.or_empty() {
                        "readOnly" => m.read_only = map.next_value()?,
                        "parentMessageId" => m.parent_message = map.next_value()?,
                        "authenticated" => m.authenticated = map.next_value()?,
                        "customMessageId" => m.custom_message_id = map.next_value()?,
                        "durationSeconds" => m.duration_seconds = map.next_value()?,
                        "expirationDate" => m.expiration_date = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(m)
            }
        }
        d.deserialize_any(V(std::marker::PhantomData))
    }
}

/// Kinds of content that some source describes.
pub const CONTENT_KINDS: [&str; 9] = [
    "Attachment",
    "QuickReply",
    "ButtonResponse",
    "GenericTemplate",
    "Card",
    "Carousel",
    "DatePicker",
    "ListPicker",
    "Form",
];

/// Kinds of events that some source describes.
pub const EVENT_KINDS: [&str; 5] = ["Typing", "Presence", "CoBrowse", "Video", "Reactions"];

/// Kinds of presence that some source describes.
pub const PRESENCE_KINDS: [&str; 8] = [
    "Join",
    "Disconnect",
    "Clear",
    "SignIn",
    "SessionExpired",
    "Authenticate",
    "AuthenticateFailure",
    "AuthenticateCancel",
];

/// A frame, and its body already read where it is a message: nearly all traffic is, and its text is then read once.
#[derive(Default)]
struct Early<'a> {
    frame: Frame<'a>,
    message: Option<Box<Message<'a>>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Early<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for V<'a> {
            type Value = Early<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a frame")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut early = Early { frame: Frame { present: true, ..Frame::default() }, message: None };
                let frame = &mut early.frame;
                while let Some(key) = map.next_key::<Str<'de>>()? {
                    match key.or_empty() {
                        "type" => frame.kind = map.next_value()?,
                        "class" => frame.class = map.next_value()?,
                        "code" => frame.code = map.next_value()?,
                        "tracingId" => frame.tracing = map.next_value()?,
                        "body" if frame.class.get() == Some("StructuredMessage") => {
                            early.message = Some(map.next_value()?);
                        }
                        "body" => frame.body = map.next_value()?,
                        _ => {
                            frame.strangers.add(key);
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(early)
            }
        }
        d.deserialize_map(V(std::marker::PhantomData))
    }
}

impl<'a> Frame<'a> {
    /// An error only where the text is not JSON. A JSON value that is no object is an empty frame.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// As [`Frame::parse`], and its message where it is one and its class stands before its body. The frame then has
    /// no body of its own.
    pub fn parse_early(text: &'a str) -> Result<(Self, Option<Box<Message<'a>>>), serde_json::Error> {
        match serde_json::from_str::<Early<'a>>(text) {
            Ok(early) => Ok((early.frame, early.message)),
            // A body that is too deep to be read spoils itself only.
            Err(_) => Self::parse(text).map(|frame| (frame, None)),
        }
    }

    /// The code, zero for none; what does not fit stops at the end of the range.
    pub fn code(&self) -> i32 {
        let code = self.code.value.unwrap_or(0);
        code.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }
}

impl Message<'_> {
    /// `channel.messageId`, else `id`: the two differ on echoes, and bots send only the second.
    pub fn key(&self) -> &str {
        match self.channel.message_id.get() {
            Some(key) if !key.is_empty() => key,
            _ => self.id.or_empty(),
        }
    }

    pub fn is_inbound(&self) -> bool {
        self.direction.or_empty().eq_ignore_ascii_case("inbound")
    }

    /// Each piece with its text, which stands for it where it is of a kind that is not known here.
    pub fn content(&self, audit: &mut Audit) -> Vec<(&str, Content<'_>)> {
        if self.content.text().is_none_or(|t| t == "[]") {
            return Vec::new();
        }
        let pieces: List<Raw<'_>> = self.content.read(audit);
        pieces.items.into_iter().map(|raw| (raw.text().unwrap_or("null"), raw.read(audit))).collect()
    }
}
