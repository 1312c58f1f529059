/**
 * Writes the body of a request. Retort adds fields by itself (`stream_options`, `response_format`); when a
 * teacher refuses one of them by name, later requests leave it out, and no row fails because of it.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import type { Addition, ApiFormat } from "./api_format.ts";
import type { JsonObject } from "./json.ts";
import type { AskedSchema, Params, TeacherRequest } from "./teacher.ts";

/** What one teacher is asked with, whatever the row. */
export interface BodyOptions {
  /** The endpoint. */
  readonly format: ApiFormat;
  /** The teacher's model. */
  readonly model: string;
  /** Whether answers are streamed. */
  readonly stream: boolean;
}

/** A body and the model that it asks. */
export interface RequestBody {
  /** The JSON text. */
  readonly text: string;
  /** The model that is asked. */
  readonly model: string;
  /** The same where the row's parameters name another one than the teacher's, else undefined. */
  readonly modelAsked: string | undefined;
  /** The tier of service that is asked for, else undefined. */
  readonly tierAsked: string | undefined;
  /** The fields that the parameters do not ask for. */
  readonly added: readonly Addition[];
}

interface Written extends Omit<RequestBody, "text"> {
  /** The schema that it was written for. */
  readonly schema: AskedSchema | undefined;
  /** `{"model":"…"` */
  readonly head: string;
  /** `,"temperature":1.0}` */
  readonly tail: string;
}

/** Writes bodies for one teacher. */
export class BodyWriter {
  readonly #options: BodyOptions;
  readonly #refused = new Set<Addition>();
  // The parameters of a run are one object for all of its rows: written once.
  #written = new WeakMap<Params, Written>();

  /** Makes a writer for a model, with or without streams. */
  constructor(options: BodyOptions) {
    this.#options = options;
  }

  /** Writes the body of one request. Parameters stand in it as they were written. */
  write({ messages, params, jsonSchema }: TeacherRequest): RequestBody {
    let written = this.#written.get(params);
    if (written === undefined || written.schema !== jsonSchema) {
      written = this.#writeParams(params, jsonSchema);
      this.#written.set(params, written);
    }
    const { head, tail, model, modelAsked, tierAsked, added } = written;
    const prompt = this.#options.format.prompt(messages);
    let text = head;
    // To write the whole object and cut its braces off would copy every prompt once more.
    for (const name in prompt) text += `,"${name}":${JSON.stringify(prompt[name])}`;
    return { text: text + tail, model, modelAsked, tierAsked, added };
  }

  /** The same as an object. */
  fields({ messages, params, jsonSchema }: TeacherRequest): Record<string, unknown> {
    return {
      model: this.#modelAsked(params) ?? this.#options.model,
      ...this.#options.format.prompt(messages),
      ...this.#sent(params, jsonSchema).fields,
    };
  }

  /** Adds a field no more. Returns whether it was added until now. */
  leaveOut(field: Addition): boolean {
    if (this.#refused.has(field)) return false;
    this.#refused.add(field);
    this.#written = new WeakMap();
    return true;
  }

  #modelAsked({ model }: Params): string | undefined {
    return typeof model === "string" && model !== this.#options.model ? model : undefined;
  }

  #sent(params: Params, schema: AskedSchema | undefined): { fields: Params; added: Addition[] } {
    const { format, stream } = this.#options;
    const { model: _, messages: __, stream: ___, ...rest } = params;
    const added: Addition[] = [];
    const fields = format.params(rest, {
      stream,
      responseFormat: schema && responseFormatOf(schema),
      add: (field) => !this.#refused.has(field) && added.push(field) > 0,
    });
    return { fields, added };
  }

  #writeParams(params: Params, schema: AskedSchema | undefined): Written {
    const modelAsked = this.#modelAsked(params);
    const model = modelAsked ?? this.#options.model;
    const { fields, added } = this.#sent(params, schema);
    const tail = JSON.stringify(fields).slice(1);
    return {
      schema,
      head: `{"model":${JSON.stringify(model)}`,
      tail: tail === "}" ? tail : `,${tail}`,
      model,
      modelAsked,
      tierAsked: typeof params.service_tier === "string" ? params.service_tier : undefined,
      added,
    };
  }
}

function responseFormatOf({ name, schema, strict, description }: AskedSchema): JsonObject {
  return { type: "json_schema", json_schema: { name, description, schema, strict } };
}

interface Words {
  /** How teachers name it. */
  readonly pattern: RegExp;
  /** What it is, for the user. */
  readonly what: string;
  /** What is lost without it. */
  readonly loss: string;
}

const WORDS: Readonly<Record<Addition, Words>> = {
  response_format: {
    // Of DeepSeek, Groq, OpenAI, vLLM (xgrammar), llama.cpp, in that order.
    pattern:
      /response[ _.]?format|json[ _]?schema|text\.format|xgrammar|structured[ _]?output|guided|\bgrammar\b/i,
    what: "response_format",
    loss: "answers are still checked against the schema",
  },
  stream_options: {
    pattern: /stream[ _]?options|include[ _]?usage/i,
    what: "stream_options",
    loss: "it may count no tokens",
  },
  "reasoning.summary": {
    pattern: /\breasoning\b/i,
    what: "reasoning.summary",
    loss: "answers may come without their reasoning",
  },
  store: {
    pattern: /\bstore\b/i,
    what: "store",
    loss: "it may keep what it is asked",
  },
};

/** Statuses at which a field may be to blame. Some servers fail with 500 over a schema. */
const STATUSES = new Set([400, 404, 415, 422, 500, 501]);
/** Beyond that, servers quote what they were sent. */
const OWN_WORDS = 300;

/**
 * What an error means for the fields that were added to its request. Where it names one of them,
 * `bodies` leaves that out from now on, and the error says that the same row is to be asked again.
 *
 * @param error What the attempt failed with.
 * @param added What was added to its request.
 * @param address The teacher, for the notice.
 */
export function withoutRefused(
  error: unknown,
  added: readonly Addition[],
  bodies: BodyWriter,
  address: string,
): unknown {
  if (!(error instanceof TeacherError) || !mayBlameField(error)) return error;
  const words = error.message.slice(0, OWN_WORDS);
  const field = added.find((one) => WORDS[one].pattern.test(words));
  if (field === undefined) return error;
  // Others may have been under way with it: only the first tells the user.
  const isFirst = bodies.leaveOut(field);
  const { what, loss } = WORDS[field];
  return new TeacherError(error.message, {
    type: error.type,
    status: error.status,
    code: error.code,
    cause: error.cause,
    isAdjusted: true,
    notice: isFirst
      ? `The teacher at ${address} refuses ${what} (${error.message}): ` +
        `it is asked without it from now on; ${loss}`
      : undefined,
  });
}

function mayBlameField({ status, type }: TeacherError): boolean {
  return status === undefined ? type === "response" : status < 300 || STATUSES.has(status);
}
