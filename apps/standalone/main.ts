import { run } from '@auditing/service/run';
import { standaloneService } from './service';

await run(standaloneService);
