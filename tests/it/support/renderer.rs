//! Paints what egui made into an image, on the processor alone: pictures without a graphics card, the same on every
//! machine.
//!
//! Triangles are filled row by row with exact integer edges (so that neighbours neither overlap nor leave gaps),
//! colours are premultiplied and mixed in the gamma space that egui's own painters use.

use std::collections::HashMap;

use egui::epaint::{ImageData, Primitive, Vertex};
use egui::{Color32, Context, FullOutput, Mesh, Pos2, TextureId, TexturesDelta};
use egui_kittest::TestRenderer;
use image::RgbaImage;

/// Parts of a pixel in which corners are placed.
const SUB: f32 = 256.0;

#[derive(Default)]
pub struct CpuRenderer {
    textures: HashMap<TextureId, Texture>,
}

struct Texture {
    width: usize,
    height: usize,
    pixels: Vec<Color32>,
}

/// Where painting is allowed, in pixels, the end excluded.
#[derive(Clone, Copy)]
struct Clip {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

struct Canvas {
    width: usize,
    pixels: Vec<Color32>,
}

impl TestRenderer for CpuRenderer {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, changes) in &delta.set {
            for change in changes {
                let ImageData::Color(image) = &change.image;
                let [width, height] = image.size;
                match change.pos {
                    None => {
                        self.textures.insert(*id, Texture { width, height, pixels: image.pixels.clone() });
                    }
                    Some([x, y]) => {
                        let texture = self.textures.get_mut(id).expect("a patch of a known texture");
                        for (n, row) in image.pixels.chunks(width).enumerate() {
                            let start = (y + n) * texture.width + x;
                            texture.pixels[start..start + width].copy_from_slice(row);
                        }
                    }
                }
            }
        }
        for id in &delta.free {
            self.textures.remove(id);
        }
        delta.clear();
    }

    fn render(&mut self, ctx: &Context, output: &FullOutput) -> Result<RgbaImage, String> {
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let (width, height) = (size.x.round() as usize, size.y.round() as usize);
        let mut canvas = Canvas { width, pixels: vec![ctx.global_style().visuals.panel_fill; width * height] };
        for part in ctx.tessellate(output.shapes.clone(), scale) {
            let side = |v: f32, max: usize| (f64::from(v * scale).round().clamp(0.0, max as f64)) as i64;
            let clip = Clip {
                left: side(part.clip_rect.min.x, width),
                top: side(part.clip_rect.min.y, height),
                right: side(part.clip_rect.max.x, width),
                bottom: side(part.clip_rect.max.y, height),
            };
            let Primitive::Mesh(mesh) = part.primitive else {
                return Err("paint callbacks are not supported".to_owned());
            };
            let texture = self.textures.get(&mesh.texture_id).ok_or("a texture is missing")?;
            canvas.mesh(&mesh, texture, clip, scale);
        }
        let bytes = canvas.pixels.iter().flat_map(|c| [c.r(), c.g(), c.b(), 255]).collect();
        RgbaImage::from_raw(width as u32, height as u32, bytes).ok_or_else(|| "size".to_owned())
    }
}

impl Texture {
    fn texel(&self, x: i64, y: i64) -> [f32; 4] {
        let x = x.clamp(0, self.width as i64 - 1) as usize;
        let y = y.clamp(0, self.height as i64 - 1) as usize;
        self.pixels[y * self.width + x].to_array().map(f32::from)
    }

    /// Between the four nearest texels.
    fn sample(&self, u: f32, v: f32) -> [f32; 4] {
        let (x, y) = (u * self.width as f32 - 0.5, v * self.height as f32 - 0.5);
        let (x0, y0) = (x.floor(), y.floor());
        let (fx, fy) = (x - x0, y - y0);
        let (x0, y0) = (x0 as i64, y0 as i64);
        if fx < 1e-3 && fy < 1e-3 {
            return self.texel(x0, y0);
        }
        let mix = |a: [f32; 4], b: [f32; 4], t: f32| std::array::from_fn(|k| a[k] + (b[k] - a[k]) * t);
        let top = mix(self.texel(x0, y0), self.texel(x0 + 1, y0), fx);
        let bottom = mix(self.texel(x0, y0 + 1), self.texel(x0 + 1, y0 + 1), fx);
        mix(top, bottom, fy)
    }
}

/// One side of a triangle: inside where `a * x + b * y + c >= 0`, in parts of a pixel.
struct Edge {
    a: i64,
    b: i64,
    c: i64,
}

impl Edge {
    fn new(from: (i64, i64), to: (i64, i64)) -> Self {
        let (a, b) = (from.1 - to.1, to.0 - from.0);
        // A pixel exactly on a side belongs to the triangle left of or above it only.
        let owned = a > 0 || (a == 0 && b > 0);
        Self { a, b, c: -(a * from.0 + b * from.1) - i64::from(!owned) }
    }

    /// Cuts `from..to` down to the pixels of a row that lie inside.
    fn cut(&self, y: i64, from: &mut i64, to: &mut i64) {
        let sub = SUB as i64;
        // At the middle of pixel x: a * (x * sub + sub / 2) + rest >= 0.
        let rest = self.b * (y * sub + sub / 2) + self.c + self.a * (sub / 2);
        let step = self.a * sub;
        if step == 0 {
            if rest < 0 {
                *to = *from;
            }
        } else if step > 0 {
            *from = (*from).max((-rest + step - 1).div_euclid(step));
        } else {
            *to = (*to).min(rest.div_euclid(-step) + 1);
        }
    }
}

impl Canvas {
    fn mesh(&mut self, mesh: &Mesh, texture: &Texture, clip: Clip, scale: f32) {
        for three in mesh.indices.chunks_exact(3) {
            let corner = |k: usize| mesh.vertices[three[k] as usize];
            self.triangle([corner(0), corner(1), corner(2)], texture, clip, scale);
        }
    }

    fn triangle(&mut self, mut v: [Vertex; 3], texture: &Texture, clip: Clip, scale: f32) {
        let place = |p: Pos2| ((p.x * scale * SUB).round() as i64, (p.y * scale * SUB).round() as i64);
        let mut p = v.map(|v| place(v.pos));
        let area = |p: &[(i64, i64); 3]| (p[1].0 - p[0].0) * (p[2].1 - p[0].1) - (p[1].1 - p[0].1) * (p[2].0 - p[0].0);
        let mut twice = area(&p);
        if twice == 0 {
            return;
        }
        if twice < 0 {
            v.swap(1, 2);
            p.swap(1, 2);
            twice = -twice;
        }
        let edges = [Edge::new(p[1], p[2]), Edge::new(p[2], p[0]), Edge::new(p[0], p[1])];
        let sub = SUB as i64;
        let top = p.iter().map(|p| p.1).min().unwrap_or(0).div_euclid(sub).max(clip.top);
        let bottom = (p.iter().map(|p| p.1).max().unwrap_or(0).div_euclid(sub) + 1).min(clip.bottom);
        let left = p.iter().map(|p| p.0).min().unwrap_or(0).div_euclid(sub).max(clip.left);
        let right = (p.iter().map(|p| p.0).max().unwrap_or(0).div_euclid(sub) + 1).min(clip.right);
        let flat = v[0].uv == v[1].uv && v[0].uv == v[2].uv && v[0].color == v[1].color && v[0].color == v[2].color;
        let flat = flat.then(|| shade(v[0].color.to_array().map(f32::from), texture.sample(v[0].uv.x, v[0].uv.y)));
        for y in top..bottom {
            let (mut from, mut to) = (left, right);
            for edge in &edges {
                edge.cut(y, &mut from, &mut to);
            }
            if from >= to {
                continue;
            }
            let start = y as usize * self.width;
            let row = &mut self.pixels[start + from as usize..start + to as usize];
            if let Some(color) = flat {
                if color[3] >= 254.5 {
                    row.fill(blend(color, Color32::BLACK));
                } else {
                    row.iter_mut().for_each(|dst| *dst = blend(color, *dst));
                }
                continue;
            }
            for (n, dst) in row.iter_mut().enumerate() {
                let x = from + n as i64;
                let weight =
                    |e: &Edge| (e.a * (x * sub + sub / 2) + e.b * (y * sub + sub / 2) + e.c) as f32 / twice as f32;
                let (w0, w1) = (weight(&edges[0]), weight(&edges[1]));
                let w2 = 1.0 - w0 - w1;
                let mix = |f: &dyn Fn(&Vertex) -> f32| f(&v[0]) * w0 + f(&v[1]) * w1 + f(&v[2]) * w2;
                let color = std::array::from_fn(|k| mix(&|v| f32::from(v.color.to_array()[k])));
                *dst = blend(shade(color, texture.sample(mix(&|v| v.uv.x), mix(&|v| v.uv.y))), *dst);
            }
        }
    }
}

fn shade(color: [f32; 4], texel: [f32; 4]) -> [f32; 4] {
    std::array::from_fn(|k| color[k] * texel[k] / 255.0)
}

fn blend(src: [f32; 4], dst: Color32) -> Color32 {
    let keep = 1.0 - src[3] / 255.0;
    let dst = dst.to_array().map(f32::from);
    let [r, g, b, a] = std::array::from_fn(|k| (src[k] + dst[k] * keep + 0.5).clamp(0.0, 255.0) as u8);
    Color32::from_rgba_premultiplied(r, g, b, a)
}
