import { nearestWord } from "../text/words.ts";
import { FlowJsonError, jsonText } from "./error.ts";

/** Growing text, and for each part the path in the JSON that it came from. */
export class LineText {
  text = "";
  #json: unknown;
  #raw: Uint8Array | undefined;
  #line = 1;
  readonly #offsets: number[] = [];
  readonly #paths: string[] = [];

  /** @param json the source of the text; @param raw the line that it came from, if any */
  clear(json: unknown, line: number, raw?: Uint8Array): this {
    this.text = "";
    this.#json = json;
    this.#raw = raw;
    this.#line = line;
    this.#offsets.length = 0;
    this.#paths.length = 0;
    return this;
  }

  put(path: string, text: string): void {
    this.#offsets.push(this.text.length);
    this.#paths.push(path);
    this.text += text;
  }

  /** The part with the character at `offset`: its path, its beginning and its text. */
  pieceAt(offset: number): {
    readonly path: string;
    readonly start: number;
    readonly text: string;
  } {
    const next = this.#offsets.findIndex((begin) => begin > offset);
    const index = (next < 0 ? this.#offsets.length : next) - 1;
    const start = this.#offsets[index] ?? 0;
    return {
      path: this.#paths[index] ?? ".",
      start,
      text: this.text.slice(start, this.#offsets[index + 1]),
    };
  }

  /** The path of the byte at `offset`. */
  pathAt(bytes: Uint8Array, offset: number): string {
    return this.pieceAt(new TextDecoder().decode(bytes.subarray(0, offset)).length).path;
  }

  fail(at: string, value: unknown, expected: string, suggestion?: string): never {
    const shown = jsonText(value) || String(value);
    const found = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
    const path = at === "" ? "." : at;
    throw new FlowJsonError({
      json: this.#json,
      raw: this.#raw,
      path,
      line: this.#line,
      found,
      expected,
      suggestion,
    });
  }

  /** Throws the error for a name that is not one of `names`. */
  failName(path: string, name: string, expected: string, names: Iterable<string>): never {
    this.fail(path, name, expected, nearestWord(names, name));
  }
}
