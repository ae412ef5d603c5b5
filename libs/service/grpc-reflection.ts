import { status, type ServiceDefinition } from '@grpc/grpc-js';
import { DESCRIPTOR_SET } from '@auditing/proto/descriptors';
import {
  ServerReflectionService,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from '@auditing/proto/reflection';
import { fileIndex, type FileIndex } from './descriptor-files';
import { grpcService, type GrpcService } from './grpc-service';

/** The same messages under an older name, which some tools still ask for first. */
const V1_ALPHA = {
  serverReflectionInfo: {
    ...ServerReflectionService.serverReflectionInfo,
    path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  },
} satisfies ServiceDefinition;

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

/**
 * Server reflection, v1 and v1alpha: tells grpcurl and grpcui what is served, out of the descriptors of our proto files.
 * (Written here because `@grpc/reflection` reads .proto files beside itself, which a bundle has not.)
 *
 * @param names the services that are served.
 */
export function reflectionServices(names: readonly string[]): readonly GrpcService[] {
  const files = fileIndex(DESCRIPTOR_SET);
  const all = [...names, 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection'];
  async function* serverReflectionInfo(
    requests: AsyncIterable<ServerReflectionRequest>,
  ): AsyncGenerator<ServerReflectionResponse, void, undefined> {
    for await (const request of requests) {
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answer(request, files, all),
      };
    }
  }
  return [
    grpcService(ServerReflectionService, { serverReflectionInfo }),
    grpcService(V1_ALPHA, { serverReflectionInfo }),
  ];
}

function answer(
  { messageRequest: question }: ServerReflectionRequest,
  files: FileIndex,
  names: readonly string[],
): Answer {
  switch (question?.$case) {
    case 'listServices':
      return { $case: 'listServicesResponse', value: { service: names.map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(files.byName(question.value), question.value);
    case 'fileContainingSymbol':
      return fileAnswer(files.bySymbol(question.value), question.value);
    // Our protos are proto3 and declare no extensions.
    case 'fileContainingExtension':
      return notFound(`extension of ${question.value.containingType}`);
    case 'allExtensionNumbersOfType':
      return {
        $case: 'allExtensionNumbersResponse',
        value: { baseTypeName: question.value, extensionNumber: [] },
      };
    case undefined:
      return {
        $case: 'errorResponse',
        value: { errorCode: status.INVALID_ARGUMENT, errorMessage: 'the request asks nothing' },
      };
  }
}

function fileAnswer(found: readonly Buffer[], what: string): Answer {
  if (found.length === 0) return notFound(what);
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: [...found] } };
}

function notFound(what: string): Answer {
  return {
    $case: 'errorResponse',
    value: { errorCode: status.NOT_FOUND, errorMessage: `${what} is not known to this server` },
  };
}
