//! Part of a whole that an order changes: what is left out stays.

macro_rules! change {
    ($(#[$doc:meta])* $name:ident of $whole:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$kind>,)*
        }

        impl $name {
            /// Takes over what is given.
            pub(in crate::sandbox) fn apply(self, whole: &mut $whole) {
                $(if let Some(value) = self.$field { whole.$field = value; })*
            }
        }
    };
}

pub(super) use change;
