/**
 * Writes the body of a request.
 *
 * @module
 */

import type { Params, TeacherRequest } from "./teacher.ts";

/** A body and the model that it asks. */
export interface RequestBody {
  /** The JSON text. */
  readonly text: string;
  /** The model that is asked. */
  readonly model: string;
  /** The same where the row's parameters name another one than the teacher's, else undefined. */
  readonly modelAsked: string | undefined;
}

interface Written {
  /** `{"model":"…","messages":` */
  readonly head: string;
  /** `,"temperature":1.0}` */
  readonly tail: string;
  readonly model: string;
  readonly modelAsked: string | undefined;
}

/** Writes bodies for one teacher. */
export class BodyWriter {
  readonly #model: string;
  readonly #stream: boolean;
  // The parameters of a run are one object for all of its rows: written once.
  readonly #written = new WeakMap<Params, Written>();

  /** Makes a writer for a model, with or without streams. */
  constructor(model: string, stream: boolean) {
    this.#model = model;
    this.#stream = stream;
  }

  /** Writes the body of one request. Parameters stand in it as they were written. */
  write(request: TeacherRequest): RequestBody {
    let written = this.#written.get(request.params);
    if (written === undefined) {
      written = this.#writeParams(request.params);
      this.#written.set(request.params, written);
    }
    const { head, tail, model, modelAsked } = written;
    return { text: head + JSON.stringify(request.messages) + tail, model, modelAsked };
  }

  /** The same as an object. */
  fields({ messages, params }: TeacherRequest): Record<string, unknown> {
    return { model: this.#modelAsked(params) ?? this.#model, messages, ...this.#sent(params) };
  }

  #modelAsked({ model }: Params): string | undefined {
    return typeof model === "string" && model !== this.#model ? model : undefined;
  }

  #sent(params: Params): Params {
    const { model: _, messages: __, stream: ___, stream_options: streamOptions, ...rest } = params;
    // Without a stream, its options are an error to OpenAI.
    if (!this.#stream) return rest;
    return { stream: true, stream_options: withUsage(streamOptions), ...rest };
  }

  #writeParams(params: Params): Written {
    const modelAsked = this.#modelAsked(params);
    const model = modelAsked ?? this.#model;
    const fields = JSON.stringify(this.#sent(params)).slice(1);
    return {
      head: `{"model":${JSON.stringify(model)},"messages":`,
      tail: fields === "}" ? fields : `,${fields}`,
      model,
      modelAsked,
    };
  }
}

function withUsage(options: unknown): unknown {
  if (options === undefined) return { include_usage: true };
  // Not ours to judge: the teacher will say what it thinks of null or a number.
  if (typeof options !== "object" || options === null) return options;
  return { include_usage: true, ...options };
}
