import { run } from '@auditing/service/run';
import { alertService } from './service';

await run(alertService);
