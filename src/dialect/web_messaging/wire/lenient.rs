//! JSON types that take what comes.
//!
//! A field of the wrong type is noted and read as missing, a field that nobody describes is counted, and neither
//! stops the reading of the rest. Only text that is not JSON is an error. Strings are borrowed where they can be, and
//! nothing builds a tree: a flood of frames passes through here.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// So many oddities of a document are named; the counts tell of all.
const NAMED: usize = 8;

/// Letters of a name; a server may call a member whatever it likes.
const LONGEST_NAME: usize = 100;

/// What was odd about a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Fields, classes, codes and kinds that no source describes.
    pub unknown: u32,
    /// Fields that are missing or of the wrong type.
    pub wrong: u32,
    /// What these were, where somebody wants to know.
    named: Option<Vec<String>>,
}

impl Audit {
    /// One that names what it counts.
    pub fn naming() -> Self {
        Self { named: Some(Vec::new()), ..Self::default() }
    }

    pub fn unknown_if(&mut self, is: bool, name: impl FnOnce() -> String) {
        self.unknown += u32::from(is);
        self.name(is, name);
    }

    pub fn wrong_if(&mut self, is: bool, name: impl FnOnce() -> String) {
        self.wrong += u32::from(is);
        self.name(is, name);
    }

    fn name(&mut self, is: bool, name: impl FnOnce() -> String) {
        if let Some(named) = self.named.as_mut().filter(|n| is && n.len() < NAMED) {
            let mut name = name();
            if let Some((end, _)) = name.char_indices().nth(LONGEST_NAME) {
                name.truncate(end);
                name.push('…');
            }
            if !named.contains(&name) {
                named.push(name);
            }
        }
    }

    /// The names, and how many more there are.
    pub fn names(self) -> (Vec<String>, u32) {
        let named = self.named.unwrap_or_default();
        let more = (self.unknown + self.wrong).saturating_sub(named.len() as u32);
        (named, more)
    }

    /// Audits a member; what is wrong with itself, not with what is in it, bears its name.
    pub fn member(&mut self, value: &impl Audited, key: &str, of: &str) {
        let before = (self.wrong, self.named.as_ref().map_or(0, Vec::len));
        value.audit(self);
        let unnamed = self.named.as_ref().is_some_and(|n| n.len() == before.1);
        self.name(unnamed && self.wrong > before.0, || format!("{key} of {of} (its type)"));
    }
}

/// Members that no source describes. Nearly always there are none.
#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "each shape has one: a thin pointer keeps them small")]
pub struct Strangers<'a>(Option<Box<Vec<Cow<'a, str>>>>);

impl<'a> Strangers<'a> {
    pub fn add(&mut self, name: Str<'a>) {
        self.0.get_or_insert_default().push(name.value.unwrap_or_default());
    }

    pub fn audit(&self, audit: &mut Audit, of: &str) {
        for name in self.0.iter().flat_map(|names| names.iter()) {
            audit.unknown_if(true, || format!("member {name} of {of}"));
        }
    }
}

/// Anything that can tell what was odd about it.
pub trait Audited {
    fn audit(&self, audit: &mut Audit);
}

/// A string; null and absent are none. Numbers and booleans are wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Str<'a> {
    value: Option<Cow<'a, str>>,
    wrong: bool,
}

impl Str<'_> {
    pub fn get(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// The string, or an empty one.
    pub fn or_empty(&self) -> &str {
        self.get().unwrap_or_default()
    }

    /// Owned, none where it is empty.
    pub fn filled(&self) -> Option<String> {
        self.get().filter(|s| !s.is_empty()).map(str::to_owned)
    }
}

/// A whole number; a string of one will do. Fractions are cut off, what is out of range stops at the end of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Int {
    pub value: Option<i64>,
    wrong: bool,
}

/// A truth value; the words `"true"` and `"false"` will do, since the protocol has both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bool {
    pub value: Option<bool>,
    wrong: bool,
}

impl Bool {
    pub fn is_true(&self) -> bool {
        self.value == Some(true)
    }
}

/// A list, empty where it is missing.
#[derive(Clone, Debug)]
pub struct List<T> {
    pub items: Vec<T>,
    /// It stands in the document, as a list.
    pub present: bool,
    wrong: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), present: false, wrong: false }
    }
}

/// Any value, as it stands in the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a>(pub Option<&'a RawValue>);

impl<'a> Raw<'a> {
    /// The text, none for missing and null.
    pub fn text(self) -> Option<&'a str> {
        self.0.map(RawValue::get).filter(|t| *t != "null")
    }

    /// Reads it as a type of this module. What is missing or not readable is the type's default; what is odd about
    /// it goes into `audit`.
    pub fn read<T: Deserialize<'a> + Default + Audited>(self, audit: &mut Audit) -> T {
        match self.text().map(serde_json::from_str::<T>) {
            Some(Ok(value)) => {
                value.audit(audit);
                value
            }
            Some(Err(_)) => {
                audit.wrong += 1;
                T::default()
            }
            None => T::default(),
        }
    }
}

/// String to string, as `metadata` and custom attributes are. Other values are kept as their text.
#[derive(Clone, Debug, Default)]
pub struct Pairs<'a> {
    pub items: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    wrong: bool,
}

impl Pairs<'_> {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.items.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_ref())
    }
}

impl Audited for Str<'_> {
    fn audit(&self, audit: &mut Audit) {
        audit.wrong += u32::from(self.wrong);
    }
}

impl Audited for Int {
    fn audit(&self, audit: &mut Audit) {
        audit.wrong += u32::from(self.wrong);
    }
}

impl Audited for Bool {
    fn audit(&self, audit: &mut Audit) {
        audit.wrong += u32::from(self.wrong);
    }
}

impl Audited for Raw<'_> {
    fn audit(&self, _: &mut Audit) {}
}

impl Audited for Pairs<'_> {
    fn audit(&self, audit: &mut Audit) {
        audit.wrong += u32::from(self.wrong);
    }
}

impl<T: Audited> Audited for List<T> {
    fn audit(&self, audit: &mut Audit) {
        audit.wrong += u32::from(self.wrong);
        for item in &self.items {
            item.audit(audit);
        }
    }
}

/// Reads a list or an object to its end without looking at it.
pub fn drain_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

pub fn drain_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Implements the visitor methods that a type does not want: each reads the value and calls it wrong.
macro_rules! otherwise_wrong {
    ($wrong:expr; $($method:ident($ty:ty)),* $(,)?) => {
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("any value")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
        $(fn $method<E>(self, _: $ty) -> Result<Self::Value, E> {
            Ok($wrong)
        })*
    };
    (seq $wrong:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            $crate::dialect::web_messaging::wire::lenient::drain_seq(seq)?;
            Ok($wrong)
        }
    };
    (map $wrong:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            $crate::dialect::web_messaging::wire::lenient::drain_map(map)?;
            Ok($wrong)
        }
    };
}
pub(super) use otherwise_wrong;

impl<'de> Deserialize<'de> for Str<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Str<'de>;
            otherwise_wrong!(Str { value: None, wrong: true };
                visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));
            otherwise_wrong!(seq Str { value: None, wrong: true });
            otherwise_wrong!(map Str { value: None, wrong: true });
            fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Self::Value, E> {
                Ok(Str { value: Some(Cow::Borrowed(s)), wrong: false })
            }
            fn visit_str<E>(self, s: &str) -> Result<Self::Value, E> {
                Ok(Str { value: Some(Cow::Owned(s.to_owned())), wrong: false })
            }
        }
        d.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Int;
            otherwise_wrong!(Int { value: None, wrong: true }; visit_bool(bool));
            otherwise_wrong!(seq Int { value: None, wrong: true });
            otherwise_wrong!(map Int { value: None, wrong: true });
            fn visit_i64<E>(self, n: i64) -> Result<Int, E> {
                Ok(Int { value: Some(n), wrong: false })
            }
            fn visit_u64<E>(self, n: u64) -> Result<Int, E> {
                Ok(Int { value: Some(i64::try_from(n).unwrap_or(i64::MAX)), wrong: n > i64::MAX as u64 })
            }
            fn visit_f64<E>(self, n: f64) -> Result<Int, E> {
                let fits = n.fract() == 0.0 && n.abs() < 9e15;
                // `as` saturates.
                Ok(Int { value: Some(n as i64), wrong: !fits })
            }
            fn visit_str<E>(self, s: &str) -> Result<Int, E> {
                let value = s.trim().parse().ok();
                Ok(Int { value, wrong: value.is_none() })
            }
        }
        d.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for Bool {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Bool;
            otherwise_wrong!(Bool { value: None, wrong: true };
                visit_i64(i64), visit_u64(u64), visit_f64(f64));
            otherwise_wrong!(seq Bool { value: None, wrong: true });
            otherwise_wrong!(map Bool { value: None, wrong: true });
            fn visit_bool<E>(self, b: bool) -> Result<Bool, E> {
                Ok(Bool { value: Some(b), wrong: false })
            }
            fn visit_str<E>(self, s: &str) -> Result<Bool, E> {
                let value = truth(s);
                Ok(Bool { value, wrong: value.is_none() })
            }
        }
        d.deserialize_any(V)
    }
}

/// The truth that a string tells, none where it tells none.
pub fn truth(word: &str) -> Option<bool> {
    match word {
        _ if word.eq_ignore_ascii_case("true") => Some(true),
        _ if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(d).map(|r| Self(Some(r)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = List<T>;
            otherwise_wrong!(List { wrong: true, ..List::default() };
                visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
            otherwise_wrong!(map List { wrong: true, ..List::default() });
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(List { items, present: true, wrong: false })
            }
        }
        d.deserialize_any(V(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Pairs<'de>;
            otherwise_wrong!(Pairs { items: Vec::new(), wrong: true };
                visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
            otherwise_wrong!(seq Pairs { items: Vec::new(), wrong: true });
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(key) = map.next_key::<Str<'de>>()? {
                    let raw: &'de RawValue = map.next_value()?;
                    let value = match serde_json::from_str::<Str<'de>>(raw.get()) {
                        Ok(Str { value: Some(s), .. }) => s,
                        _ => Cow::Borrowed(raw.get()),
                    };
                    items.push((key.value.unwrap_or_default(), value));
                }
                Ok(Pairs { items, wrong: false })
            }
        }
        d.deserialize_any(V)
    }
}

/// Declares an object whose fields are all types of this module.
macro_rules! shape {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty = $($key:literal)|+),* $(,)? })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name<'a> {
            $($(#[$fdoc])* pub $field: $ty,)*
            /// It stands in the document, as an object.
            pub present: bool,
            wrong: bool,
            strangers: Strangers<'a>,
        }

        impl Audited for $name<'_> {
            fn audit(&self, audit: &mut Audit) {
                self.strangers.audit(audit, stringify!($name));
                audit.wrong_if(self.wrong, || format!("{} is no object", stringify!($name)));
                $(audit.member(&self.$field, [$($key),+][0], stringify!($name));)*
            }
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V<'a>(std::marker::PhantomData<&'a ()>);
                impl<'de: 'a, 'a> Visitor<'de> for V<'a> {
                    type Value = $name<'a>;
                    otherwise_wrong!($name { wrong: true, ..Default::default() };
                        visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
                    otherwise_wrong!(seq $name { wrong: true, ..Default::default() });
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut shape = $name { present: true, ..Default::default() };
                        while let Some(key) = map.next_key::<Str<'de>>()? {
                            match key.or_empty() {
                                $($($key)|+ => shape.$field = map.next_value()?,)*
                                _ => {
                                    shape.strangers.add(key);
                                    map.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(shape)
                    }
                }
                d.deserialize_any(V(std::marker::PhantomData))
            }
        }
    )* };
}
pub(super) use shape;
