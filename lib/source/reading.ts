/**
 * What is noted while one row is read.
 *
 * @module
 */

import type { Shape } from "./shape.ts";

/** A row that is being read: what is known of it, and what comes out beside its messages. */
export class Reading {
  /** What it looks like. */
  readonly shape: Shape;
  /** Its JSON text. */
  readonly text: string;
  /** Whether a trailing assistant turn is sent, as the start of the answer. */
  readonly keepsPrefill: boolean;
  /** Fields that its prompt is made of because the user has named them. */
  readonly named: ReadonlySet<string>;
  /** Whether numbers became part of a text, which has to be made of them as they were written. */
  hasNumber = false;
  /** Fields that are sent in other rows of this shape, and fields of its turns. */
  unsent: Set<string> | undefined;
  /** Local files that its messages name as images. */
  files: string[] | undefined;

  /** Nothing was read yet. */
  constructor(shape: Shape, text: string, keepsPrefill: boolean, named: ReadonlySet<string>) {
    this.shape = shape;
    this.text = text;
    this.keepsPrefill = keepsPrefill;
    this.named = named;
  }

  /** Whether its turns are those of a log, whose fields beside those of a message are not sent. */
  get isLog(): boolean {
    return this.shape === "conversations" || this.shape === "conversation";
  }

  /** Notes a field that is not sent. */
  leaveOut(field: string): void {
    (this.unsent ??= new Set()).add(field);
  }
}
