/** What is used of WebAssembly, which every runtime has and the types of Node 20 leave out. */
declare namespace WebAssembly {
  /** Compiled code. */
  interface Module {
    readonly [Symbol.toStringTag]: string;
  }
  const Module: new (bytes: Uint8Array) => Module;
  /** Code with memory of its own. */
  interface Instance {
    readonly exports: unknown;
  }
  const Instance: new (module: Module, imports: Record<string, object>) => Instance;
  interface Memory {
    /** Another one once the memory has grown. */
    readonly buffer: ArrayBuffer;
  }
}
