import { status } from '@grpc/grpc-js';
import { ServerReflectionService, type ServerReflectionRequest } from '@auditing/proto/reflection';
import { grpcClient } from './grpc-client';
import { INSECURE } from './grpc-tls';
import { grpcPair, never, type GrpcPair } from './testing/grpc-pair';

let pair: GrpcPair;

beforeEach(() => {
  pair = grpcPair();
});

afterEach(() => pair.end());

describe('reflection', () => {
  type Question = NonNullable<ServerReflectionRequest['messageRequest']>;
  const V1_ALPHA = {
    serverReflectionInfo: {
      ...ServerReflectionService.serverReflectionInfo,
      path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    },
  } as unknown as typeof ServerReflectionService;

  async function ask(
    target: string,
    definition: typeof ServerReflectionService,
    questions: Question[],
  ) {
    const client = grpcClient(definition, target, { credentials: INSECURE });
    const requests = async function* () {
      for (const messageRequest of questions) yield { host: '', messageRequest };
      await Promise.resolve();
    };
    const answers = [];
    for await (const { messageResponse } of client.api.serverReflectionInfo(requests(), never)) {
      answers.push(messageResponse);
    }
    client.close();
    return answers;
  }

  test.each([
    ['v1', ServerReflectionService],
    ['v1alpha', V1_ALPHA],
  ])('%s tells what grpcurl asks', async (_version, definition) => {
    const [services, file, unknown] = await ask(await pair.serve({}), definition, [
      { $case: 'listServices', value: '' },
      { $case: 'fileContainingSymbol', value: 'auditing.v1.RuleService.Evaluate' },
      { $case: 'fileContainingSymbol', value: 'auditing.v1.None' },
    ]);
    if (services?.$case !== 'listServicesResponse') throw new Error('no list of services');
    expect(services.value.service.map(({ name }) => name)).toEqual([
      'auditing.v1.RuleService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
    ]);
    if (file?.$case !== 'fileDescriptorResponse') throw new Error('no file');
    const texts = file.value.fileDescriptorProto.map((bytes) => bytes.toString('latin1'));
    expect(texts[0]).toContain('auditing/v1/rule.proto');
    expect(texts.some((text) => text.startsWith('\n\x17auditing/v1/event.proto'))).toBe(true);
    expect(texts.some((text) => text.includes('google/protobuf/timestamp.proto'))).toBe(true);
    expect(unknown).toMatchObject({
      $case: 'errorResponse',
      value: { errorCode: status.NOT_FOUND },
    });
  });

  test('gives files by name', async () => {
    const [file, unknown] = await ask(await pair.serve({}), ServerReflectionService, [
      { $case: 'fileByFilename', value: 'auditing/v1/event.proto' },
      { $case: 'fileByFilename', value: '../../etc/passwd' },
    ]);
    expect(file?.$case).toBe('fileDescriptorResponse');
    expect(unknown?.$case).toBe('errorResponse');
  });
});
