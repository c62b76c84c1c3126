//! Captures that this process is writing, so that readers find the index that the writer keeps.
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::facets::Index;
use super::files;
use super::writer::Opened;

static LIVE: Mutex<Option<HashMap<Opened, Weak<Index>>>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<HashMap<Opened, Weak<Index>>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::hash::Hash for Opened {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::File(path) => path.hash(state),
            Self::Memory(name) => name.hash(state),
        }
    }
}

pub fn add(opened: &Opened, index: &Arc<Index>) {
    let mut live = lock();
    let map = live.get_or_insert_default();
    map.retain(|_, index| index.strong_count() > 0);
    map.insert(opened.clone(), Arc::downgrade(index));
}

pub fn remove(opened: &Opened) {
    if let Some(map) = lock().as_mut() {
        map.remove(opened);
    }
}

pub fn find(opened: &Opened) -> Option<Arc<Index>> {
    lock().as_ref()?.get(opened)?.upgrade()
}

/// True where a writer of this process writes that file.
pub fn is_written(path: &Path) -> bool {
    find(&Opened::File(files::canonical(path))).is_some()
}
