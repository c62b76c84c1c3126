//! The real window: eframe, and what its failures mean.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::app::{App, Parts};
use crate::model::Report;

/// Name of the window for the desktop.
const APP_ID: &str = "sessionscope";

/// Wakes the window from other threads: some milliseconds late, and once for many calls, so that a flood of events
/// costs a frame each 4 ms at most. It can be handed out before the window is there.
#[derive(Clone, Default)]
pub struct Wake {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    ctx: OnceLock<egui::Context>,
    dirty: AtomicBool,
    closing: AtomicBool,
}

impl Wake {
    /// What the engine, the writer and the projector call.
    pub fn call(&self) -> Arc<dyn Fn() + Send + Sync> {
        let inner = self.inner.clone();
        Arc::new(move || {
            if !inner.dirty.swap(true, Ordering::AcqRel)
                && let Some(ctx) = inner.ctx.get()
            {
                ctx.request_repaint_after(Duration::from_millis(4));
            }
        })
    }

    /// Closes the window as its own button does, from another thread.
    pub fn close(&self) {
        self.inner.closing.store(true, Ordering::Release);
        if let Some(ctx) = self.inner.ctx.get() {
            ctx.request_repaint();
        }
    }

    fn connect(&self, ctx: &egui::Context) {
        // A second window of one program does not exist.
        let _ = self.inner.ctx.set(ctx.clone());
        ctx.request_repaint();
    }

    /// A frame begins: calls from now on want another one.
    fn clean(&self) {
        self.inner.dirty.store(false, Ordering::Release);
    }
}

struct Windowed {
    app: App,
    wake: Wake,
}

impl eframe::App for Windowed {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.wake.clean();
        if self.wake.inner.closing.swap(false, Ordering::AcqRel) {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
        self.app.logic(ctx, frame);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.app.ui(ui, frame);
    }

    fn on_exit(&mut self, gl: Option<&eframe::glow::Context>) {
        self.app.on_exit(gl);
    }
}

/// A window that ends after its first picture.
struct Probe {
    painted: bool,
    told: Arc<AtomicBool>,
}

impl eframe::App for Probe {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        ui.label("Sessionscope looks whether it can draw.");
        if frame.gl().is_some() {
            self.told.store(true, Ordering::Release);
        }
        if std::mem::replace(&mut self.painted, true) {
            ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
        }
        ui.ctx().request_repaint();
    }
}

/// Makes a window and draws a picture in it.
pub fn probe() -> Result<String, Report> {
    preflight()?;
    let told = Arc::new(AtomicBool::new(false));
    let tell = told.clone();
    let viewport =
        egui::ViewportBuilder::default().with_app_id(APP_ID).with_title("Sessionscope").with_inner_size([320.0, 80.0]);
    let options = eframe::NativeOptions { viewport, renderer: eframe::Renderer::Glow, ..Default::default() };
    open(options, Box::new(move |_| Ok(Box::new(Probe { painted: false, told: tell }))))?;
    if told.load(Ordering::Acquire) {
        return Ok("a window was drawn with OpenGL".into());
    }
    Err(Report::new("no-opengl", "OpenGL is missing", "A window came up, but without OpenGL to draw in it."))
}

/// Opens the window and stays until it is closed. Every way in which that can fail is a report of its own.
pub fn run(parts: Parts, wake: Wake) -> Result<(), Report> {
    preflight()?;
    let [width, height] = parts.settings.window.unwrap_or([1440.0, 900.0]);
    let viewport = egui::ViewportBuilder::default()
        .with_app_id(APP_ID)
        .with_title("Sessionscope")
        .with_inner_size([width, height])
        .with_min_inner_size([800.0, 520.0])
        .with_maximized(parts.settings.maximised);
    let options = eframe::NativeOptions { viewport, renderer: eframe::Renderer::Glow, ..Default::default() };
    open(
        options,
        Box::new(move |cc| {
            wake.connect(&cc.egui_ctx);
            Ok(Box::new(Windowed { app: App::new(parts), wake }))
        }),
    )
}

fn open(options: eframe::NativeOptions, creator: eframe::AppCreator<'_>) -> Result<(), Report> {
    let outcome =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| eframe::run_native(APP_ID, options, creator)));
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(explain(&error.to_string(), matches!(error, eframe::Error::AppCreation(_)))),
        Err(panic) => {
            let text = panic_text(panic.as_ref());
            if is_missing_library(&text) {
                return Err(explain(&text, false));
            }
            // A fault of ours: let it be seen as one.
            std::panic::resume_unwind(panic)
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic without a text").to_owned()
}

/// The windowing libraries are loaded at run time; one of their loaders panics where its library is missing.
fn is_missing_library(text: &str) -> bool {
    text.contains("could not be loaded") || text.contains("xkbcommon") && text.contains("Library")
}

/// Is there a display to open a window on at all?
#[cfg(all(unix, not(target_os = "macos")))]
pub fn preflight() -> Result<(), Report> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if set("DISPLAY") || set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET") { Ok(()) } else { Err(no_display()) }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn preflight() -> Result<(), Report> {
    Ok(())
}

fn no_display() -> Report {
    Report::new(
        "no-display",
        "There is no display to open a window on",
        "None of WAYLAND_DISPLAY, WAYLAND_SOCKET and DISPLAY is set.",
    )
    .remedy("On a desktop, start the program from a terminal of that desktop.")
    .remedy("Over ssh, use “ssh -X”.")
    .remedy("Without a desktop, a virtual display will do: apt-get install xvfb, then xvfb-run -a sessionscope.")
}

/// Turns what the windowing libraries say into a report that names the packages.
fn explain(text: &str, ours: bool) -> Report {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let report = if ours {
        Report::new("window-not-made", "The window could not be set up", "Preparing the first picture failed.")
    } else if has(&["xkbcommon"]) {
        Report::new("no-xkbcommon", "A keyboard library is missing", "The library xkbcommon-x11 could not be loaded.")
            .remedy("Debian, Ubuntu: apt-get install libxkbcommon-x11-0. Fedora: dnf install libxkbcommon-x11.")
    } else if has(&["neither wayland_display", "wayland_socket nor display"]) {
        no_display()
    } else if has(&["xlib", "libx11", "xcursor", "libxi"]) {
        Report::new("no-x-libraries", "Libraries for X are missing", "A library of the X client could not be loaded.")
            .remedy("Debian, Ubuntu: apt-get install libx11-6 libxcursor1 libxi6 libxkbcommon-x11-0.")
    } else if has(&["wayland"]) && has(&["could not be loaded", "library", "nolib"]) {
        Report::new(
            "no-wayland-libraries",
            "Libraries for Wayland are missing",
            "The Wayland client could not be loaded.",
        )
        .remedy("Debian, Ubuntu: apt-get install libwayland-client0 libwayland-egl1 libxkbcommon0.")
    } else if has(&["glutin", "config", "opengl", "egl", "glx", "gl context", "libgl"]) {
        Report::new("no-opengl", "OpenGL is missing", "No OpenGL driver was found that can draw the window.")
            .remedy("Debian, Ubuntu: apt-get install libgl1 (it brings a driver that needs no graphics card).")
            .remedy("In a virtual machine or over remote desktop, LIBGL_ALWAYS_SOFTWARE=1 may help.")
    } else if has(&["connection refused", "connect", "display"]) {
        Report::new("display-refused", "The display cannot be reached", "A display is named, but it cannot be opened.")
            .remedy("Check DISPLAY and WAYLAND_DISPLAY, and that you may use that display (xhost, XAUTHORITY).")
    } else {
        Report::new("no-window", "No window could be opened", "The windowing system refused.")
    };
    report.detail(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_failure_has_a_report_of_its_own() {
        let cases = [
            (
                "winit EventLoopError: os error: neither WAYLAND_DISPLAY nor WAYLAND_SOCKET nor DISPLAY is set.",
                "no-display",
            ),
            ("winit EventLoopError: Failed to load one of xlib's shared libraries", "no-x-libraries"),
            ("Found no glutin configs matching the template: ConfigTemplate {}. Error: x", "no-opengl"),
            ("Library libxkbcommon-x11.so.0 could not be loaded.", "no-xkbcommon"),
            ("winit EventLoopError: XOpenDisplay failed: Connection refused", "display-refused"),
            ("something else", "no-window"),
        ];
        for (text, code) in cases {
            let report = explain(text, false);
            assert_eq!(report.code, code, "{text}");
            assert!(report.text().contains(if code == "no-display" { "WAYLAND_DISPLAY" } else { text }));
        }
        assert!(is_missing_library("Library libxkbcommon-x11.so could not be loaded."));
        assert!(!is_missing_library("index out of bounds"));
    }

    #[test]
    fn many_calls_before_the_window_is_there_do_no_harm() {
        let wake = Wake::default();
        let call = wake.call();
        call();
        call();
        wake.clean();
        call();
        assert!(wake.inner.dirty.load(Ordering::Acquire));
    }
}
