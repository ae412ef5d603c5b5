import { run } from '@auditing/service/run';
import { operatorService } from './service';

await run(operatorService);
