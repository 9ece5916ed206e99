/*
 * A terminal's output as a picture that a README can show: its colours, on a dark ground, each line coming when it
 * came. Who stops the animation, or prints it, sees all of it.
 */

/** A piece of output, and when it came after the start. */
export type Piece = { readonly text: string; readonly seconds: number };

const COLUMNS = 104;
const ROW = 18;
const COLUMN = 7.83;
const MARGIN = 16;
const HEAD = 34;

/** What `picocolors` writes for the colours that millrace uses, as classes of the picture. */
const CLASSES: ReadonlyMap<number, string> = new Map([
  [1, "bold"],
  [2, "dim"],
  [31, "red"],
  [32, "green"],
  [36, "cyan"],
]);

/** What ends those: 22 both weights, 39 any colour. */
const ENDS: ReadonlyMap<number, RegExp> = new Map([
  [22, /^(?:bold|dim)$/],
  [39, /^(?:red|green|cyan)$/],
]);

const ESCAPE = "\u{1b}";

/** What ends a line, or begins a colour. */
const SPECIAL = new RegExp(`(${ESCAPE}\\[\\d+m|\n)`);

const STYLE =
  ".ground{fill:#0d1117}.dot{fill:#30363d}" +
  `text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6edf3;white-space:pre}` +
  ".bold{font-weight:700}.dim{fill:#8b949e}.red{fill:#ff7b72}.green{fill:#3fb950}.cyan{fill:#39c5cf}" +
  "@media (prefers-reduced-motion:no-preference){.line{animation:come .01s both}@keyframes come{from{opacity:0}}}";

/**
 * The picture of a program's output.
 * @param command what was typed
 */
export function terminalSvg(command: string, pieces: readonly Piece[]): string {
  const rows = [
    { spans: [{ text: `$ ${command}`, classes: "bold" }], seconds: 0 },
    ...rowsOf(pieces),
  ];
  const width = Math.ceil(COLUMNS * COLUMN + 2 * MARGIN);
  const height = HEAD + rows.length * ROW + MARGIN;
  const lines = rows.map(({ spans, seconds }, row) => {
    let column = 0;
    const texts = spans.map(({ text, classes }) => {
      // A span's place and length are told: no viewer's font is the one that was measured.
      const size = Bun.stringWidth(text);
      const place = `x="${(MARGIN + column * COLUMN).toFixed(1)}" textLength="${(size * COLUMN).toFixed(1)}"`;
      column += size;
      return `<tspan ${place}${classes === "" ? "" : ` class="${classes}"`}>${escapeXml(text)}</tspan>`;
    });
    const delay = seconds === 0 ? "" : ` style="animation-delay:${seconds.toFixed(2)}s"`;
    return `<text class="line" y="${HEAD + (row + 1) * ROW - 4}"${delay}>${texts.join("")}</text>`;
  });
  const dots = [0, 1, 2].map(
    (i) => `<circle class="dot" cx="${MARGIN + 5 + i * 18}" cy="18" r="5"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">`,
    `<title id="title">What ${escapeXml(command)} prints</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}" rx="8"/>`,
    ...dots,
    ...lines,
    "</svg>\n",
  ].join("\n");
}

type Span = { readonly text: string; readonly classes: string };
type Row = { readonly spans: readonly Span[]; readonly seconds: number };

/** Lines, cut where a terminal of so many columns would cut them. */
function rowsOf(pieces: readonly Piece[]): readonly Row[] {
  const rows: Row[] = [];
  const classes = new Set<string>();
  let spans: Span[] = [];
  let column = 0;
  let seconds = 0;
  const end = (): void => {
    rows.push({ spans, seconds });
    spans = [];
    column = 0;
  };
  const put = (text: string): void => {
    // What the demo prints has a column a character.
    for (let rest = text; rest !== "";) {
      if (column === COLUMNS) end();
      const fits = rest.slice(0, COLUMNS - column);
      rest = rest.slice(fits.length);
      column += fits.length;
      spans.push({ text: fits, classes: [...classes].join(" ") });
    }
  };
  for (const piece of pieces) {
    seconds = piece.seconds;
    for (const part of piece.text.split(SPECIAL)) {
      if (part === "\n") end();
      else if (part.startsWith(ESCAPE)) style(classes, Number(part.slice(2, -1)));
      else put(part);
    }
  }
  if (column > 0) end();
  return rows;
}

function style(classes: Set<string>, code: number): void {
  const begun = CLASSES.get(code);
  const ended = ENDS.get(code);
  if (begun !== undefined) classes.add(begun);
  else if (ended === undefined) throw new Error(`the picture has no colour for ${code}`);
  else for (const one of classes) if (ended.test(one)) classes.delete(one);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
