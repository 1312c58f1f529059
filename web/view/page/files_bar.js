// @ts-check
/// <reference lib="dom" />
/**
 * The state of the files: how much of them has been read, and their problems.
 *
 * @module
 */

import { formatBytes, formatShare } from "../../page/figures.js";
import { byId, make, setShown, setText } from "../../page/dom.js";
import { filesWords, noteWords } from "./words.js";

/** @import { DataState } from "../../../lib/data/protocol.ts" */

/** Most problems that are listed. */
const MAX_NOTES = 20;

/** The names of the files at the top of the page, and the list of their problems. */
export class FilesBar {
  #files = byId("files", HTMLElement);
  #reading = byId("reading", HTMLElement);
  #notes = byId("notes", HTMLElement);
  /** The notes that are shown, as one text. */
  #shown = "";

  /** @param {DataState} state */
  update({ index, paths }) {
    setText(this.#files, filesWords({ index, paths }));
    let size = 0, read = 0;
    for (const file of index.files) {
      size += file.size;
      read += Math.min(file.read, file.size);
    }
    const words = `Reading: ${formatShare(read, size)} of ${formatBytes(size)}`;
    setText(this.#reading, index.isCurrent ? "" : words);
    const notes = noteWords(index);
    // An unchanged list is not replaced, so that the user's selection of text stays.
    const text = notes.join("\n");
    if (text === this.#shown) return;
    this.#shown = text;
    this.#notes.replaceChildren(...notes.slice(0, MAX_NOTES).map((note) => make("li", {}, note)));
    setShown(this.#notes, notes.length > 0);
  }
}
