//! The real window under a virtual display: it draws something, and it ends when asked.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::needs;

/// A process that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual display whose picture lies in a file.
struct Display {
    number: u32,
    folder: tempfile::TempDir,
    _server: Ended,
}

impl Display {
    fn start(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-fbdir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let number = line.trim().parse().expect("Xvfb tells its display");
        Self { number, folder, _server: Ended(server) }
    }

    /// The screen as pixels; none while it cannot be read.
    fn picture(&self) -> Option<Picture> {
        Picture::read(&self.folder.path().join("Xvfb_screen0"))
    }
}

/// An X window dump of 32 bits a pixel.
struct Picture {
    pixels: Vec<u32>,
}

impl Picture {
    fn read(file: &Path) -> Option<Self> {
        let bytes = std::fs::read(file).ok()?;
        let field = |n: usize| Some(u32::from_be_bytes(bytes.get(n * 4..n * 4 + 4)?.try_into().ok()?) as usize);
        // XWDFile.h: header size, version, format, depth, width, height, xoffset, byte order, …, bytes per line (12),
        // …, number of colours (19) of 12 bytes each before the pixels.
        let (header, width, height, line, colours) = (field(0)?, field(4)?, field(5)?, field(12)?, field(19)?);
        let start = header + colours * 12;
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            let row = bytes.get(start + y * line..start + y * line + width * 4)?;
            pixels.extend(row.chunks_exact(4).map(|p| u32::from_le_bytes([p[0], p[1], p[2], 0])));
        }
        Some(Self { pixels })
    }

    /// Share of the pixels that are not of the commonest colour, and the number of colours.
    fn variety(&self) -> (f64, usize) {
        let mut counts: HashMap<u32, usize> = HashMap::new();
        for p in &self.pixels {
            *counts.entry(*p).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0);
        (1.0 - most as f64 / self.pixels.len().max(1) as f64, counts.len())
    }
}

pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sessionscope"))
}

#[test]
fn the_window_shows_something_under_a_virtual_display() {
    if !needs::program("Xvfb") {
        return;
    }
    let display = Display::start("1440x900x24");
    let home = tempfile::tempdir().unwrap();
    let mut app = Ended(
        Command::new(program())
            .env("SESSIONSCOPE_HOME", home.path())
            .env("DISPLAY", format!(":{}", display.number))
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("WAYLAND_SOCKET")
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (share, colours) = display.picture().map_or((0.0, 0), |p| p.variety());
        if share > 0.02 && colours > 40 {
            break;
        }
        if let Some(status) = app.0.try_wait().unwrap() {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut app.0.stderr.take().unwrap(), &mut text).unwrap();
            panic!("the program ended with {status} before it drew anything:\n{text}");
        }
        assert!(Instant::now() < end, "the screen stays blank: {share:.3} of it drawn, {colours} colours");
        std::thread::sleep(Duration::from_millis(100));
    }
    let captures = || std::fs::read_dir(home.path().join("captures")).unwrap().count();
    assert!(captures() > 0, "a capture was begun");
    #[cfg(unix)]
    {
        let kill = Command::new("kill").arg(app.0.id().to_string()).status().unwrap();
        assert!(kill.success());
        let end = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = app.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "SIGTERM does not close the window");
            std::thread::sleep(Duration::from_millis(50));
        };
        assert!(status.success(), "{status}");
        assert_eq!(captures(), 0, "an empty capture is not kept, as after Quit");
    }
}
