# By the listener's ARN.
terraform import eksctl_courier_nlb.tcp arn:aws:elasticloadbalancing:us-east-1:111111111111:listener/net/tcp/50dc6c495c0c9188/f2f7dc8efc522ab2
