declare const module: unknown;
export default module;
