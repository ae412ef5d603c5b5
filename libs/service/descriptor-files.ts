import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** Finds files in a serialised google.protobuf.FileDescriptorSet. */
export interface FileIndex {
  /** The serialised file of this name and, after it, all that it imports; empty if there is none. */
  readonly byName: (name: string) => readonly Buffer[];
  /** The same for the file that declares a service, method, message, field or enum by its full name. */
  readonly bySymbol: (symbol: string) => readonly Buffer[];
}

interface DescriptorFile {
  readonly name: string;
  readonly package: string;
  readonly imports: readonly string[];
  /** Names of the messages, enums and services at its top, without the package. */
  readonly declares: readonly string[];
  readonly bytes: Buffer;
}

/** Field numbers of google/protobuf/descriptor.proto, which are fixed for ever. */
const SET_FILE = 1;
const FILE_NAME = 1;
const FILE_PACKAGE = 2;
const FILE_DEPENDENCY = 3;
const FILE_DECLARATIONS: readonly number[] = [4 /* message */, 5 /* enum */, 6 /* service */];
const DECLARATION_NAME = 1;

/** Reads only names and imports: the files themselves go out as they are. */
export function fileIndex(descriptorSet: Buffer): FileIndex {
  const files = new Map<string, DescriptorFile>();
  const bySymbol = new Map<string, DescriptorFile>();
  for (const [field, bytes] of fieldsOf(descriptorSet)) {
    if (field !== SET_FILE) continue;
    const file = readFile(bytes);
    files.set(file.name, file);
    for (const name of file.declares) bySymbol.set(`${file.package}.${name}`, file);
  }

  const withImports = (first: DescriptorFile | undefined): readonly Buffer[] => {
    const found = new Set<DescriptorFile>();
    const add = (file: DescriptorFile | undefined): void => {
      if (!file || found.has(file)) return;
      found.add(file);
      for (const name of file.imports) add(files.get(name));
    };
    add(first);
    return [...found].map(({ bytes }) => bytes);
  };

  return {
    byName: (name) => withImports(files.get(name)),
    bySymbol(symbol) {
      // A method or field is declared where its service or message is.
      for (let name = symbol; name.includes('.'); name = name.slice(0, name.lastIndexOf('.'))) {
        const file = bySymbol.get(name);
        if (file) return withImports(file);
      }
      return [];
    },
  };
}

function readFile(bytes: Buffer): DescriptorFile {
  const file = { name: '', package: '', imports: [] as string[], declares: [] as string[], bytes };
  for (const [field, value] of fieldsOf(bytes)) {
    if (field === FILE_NAME) file.name = value.toString();
    else if (field === FILE_PACKAGE) file.package = value.toString();
    else if (field === FILE_DEPENDENCY) file.imports.push(value.toString());
    else if (FILE_DECLARATIONS.includes(field)) file.declares.push(nameOf(value));
  }
  return file;
}

function nameOf(declaration: Buffer): string {
  for (const [field, value] of fieldsOf(declaration)) {
    if (field === DECLARATION_NAME) return value.toString();
  }
  return '';
}

/** The length-delimited fields of a message, by number. */
function* fieldsOf(message: Buffer): Generator<readonly [number, Buffer], void, undefined> {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) yield [field, Buffer.from(reader.bytes())];
    else reader.skip(type);
  }
}
